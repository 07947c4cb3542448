using Gateway.Limits;

namespace Gateway.Callers;

/// <summary>A configured team.</summary>
/// <param name="Account">The upstream account of its requests.</param>
internal sealed record Team(
    string Name, string Account, WorkflowRules Workflows, RouteRules Routes, ClaimRules Claims, Quota[] Quotas)
{
    /// <summary>Whether the team may use a route and read the workflows.</summary>
    public bool MayUse(string route, string[] workflows) =>
        Routes.Allow(route) && Array.TrueForAll(workflows, workflow => Workflows.Allow(workflow));
}

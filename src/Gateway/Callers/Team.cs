using Gateway.Limits;

namespace Gateway.Callers;

/// <summary>A team as the request path sees it.</summary>
/// <param name="Account">The upstream credential that its requests go out with.</param>
internal sealed record Team(string Name, string Account, WorkflowRules Workflows, RouteRules Routes, ClaimRules Claims, Quota[] Quotas)
{
    /// <summary>Whether it may use a route, and read the workflows that the request is about.</summary>
    public bool MayUse(string route, string[] workflows) => Routes.Allow(route) && Array.TrueForAll(workflows, workflow => Workflows.Allow(workflow));
}

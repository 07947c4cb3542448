using Gateway.Limits;
using Gateway.Telemetry;

namespace Gateway.Callers;

/// <summary>A configured team.</summary>
/// <param name="Account">The upstream account of its requests.</param>
/// <param name="Use">Counts what its members use without a key.</param>
internal sealed record Team(
    string Name, string Account, WorkflowRules Workflows, RouteRules Routes, ClaimRules Claims, Quota[] Quotas,
    UseCounter Use)
{
    /// <summary>Whether the team may use a route and read the workflows.</summary>
    public bool MayUse(string route, string[] workflows) =>
        Routes.Allow(route) && Array.TrueForAll(workflows, workflow => Workflows.Allow(workflow));
}

using Gateway.Limits;

namespace Gateway.Callers;

/// <summary>A team as the request path sees it.</summary>
internal sealed record Team(string Name, string Account, WorkflowRules Workflows, ClaimRules Claims, Quota[] Quotas);

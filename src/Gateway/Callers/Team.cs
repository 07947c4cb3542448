using Gateway.Limits;

namespace Gateway.Callers;

/// <summary>A team as the request path sees it.</summary>
internal sealed record Team(string Name, string Account, WorkflowRules Workflows, TeamQuota Quota);

/// <summary>Who is asking: a credential's public id, the team it acts for, and when it counts.</summary>
internal sealed record Caller(string Id, Team Team, KeyValidity Validity);

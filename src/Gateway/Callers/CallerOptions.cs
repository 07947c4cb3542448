using Gateway.Limits;

namespace Gateway.Callers;

/// <summary>The sections <c>Teams</c>, <c>Operators</c> and <c>Quotas</c>.</summary>
internal sealed record CallerOptions(
    Dictionary<string, TeamOptions> Teams, OperatorOptions Operators, Dictionary<string, QuotaOptions> Quotas);

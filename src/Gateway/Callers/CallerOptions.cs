using Gateway.Limits;

namespace Gateway.Callers;

/// <summary>Who may call, and how often: what the sections Teams, Operators and Quotas say together.</summary>
internal sealed record CallerOptions(
    Dictionary<string, TeamOptions> Teams, OperatorOptions Operators, Dictionary<string, QuotaOptions> Quotas);

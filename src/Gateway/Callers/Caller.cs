using Gateway.Limits;
using Gateway.Problems;
using Gateway.Telemetry;

namespace Gateway.Callers;

/// <summary>An identified caller.</summary>
/// <param name="Id">The id in logs: a key's id, or the subject of a token or a session.</param>
/// <param name="Teams">The teams of the caller, in the order in which they are tried.</param>
/// <param name="Own">The quota of the key itself, beside its team's; null if it has none.</param>
/// <param name="Use">Counts what the key uses; null if the caller has no key.</param>
/// <param name="IsOperator">Whether the caller may use <c>/admin</c>. Operators may not read jobs.</param>
internal sealed record Caller(
    string Id, Team[] Teams, Quota? Own = null, UseCounter? Use = null, bool IsOperator = false)
{
    /// <summary>The claims of a token or a session; null for keys.</summary>
    public ClaimSet? Claims { get; init; }

    /// <summary>A claim that a team needs and that the provider left out; null if there is none.</summary>
    public string? LeftOut { get; init; }

    // A key belongs to one team.
    private readonly Quota[]? _quotas = Own is null ? null : [.. Teams.SelectMany(team => team.Quotas), Own];

    /// <summary>Returns the quotas that apply to a request on behalf of a team.</summary>
    public Quota[] QuotasOf(Team team) => _quotas ?? team.Quotas;

    /// <summary>
    /// Returns the first team of the caller that may use a route and read the workflows. The team is charged.
    /// </summary>
    /// <param name="workflows">The workflows that the request names.</param>
    public Team? TeamFor(string route, string[] workflows) => Array.Find(Teams, team => team.MayUse(route, workflows));

    /// <summary>The problem of a caller of whose teams none may read a workflow.</summary>
    public Problem MayNotRead() => Forbidden(CallerProblems.WorkflowForbidden, "read this workflow");

    /// <summary>The problem of a caller of whose teams none may use a route with its workflows.</summary>
    public Problem MayNotUse() => Forbidden(CallerProblems.RouteForbidden, "use this route");

    private Problem Forbidden(ProblemType type, string what)
    {
        var (why, detail) = Teams switch
        {
            [] => (CallerProblems.NoTeam, "No team has any of your claims."),
            [var team] => (type, $"Team '{team.Name}' may not {what}."),
            _ => (type, $"None of the teams {string.Join(", ", Teams.Select(team => $"'{team.Name}'"))} may {what}."),
        };
        return new Problem(why, LeftOut is null ? detail
            : $"{detail} The identity provider left your claim '{LeftOut}' out, because it has too many values; "
                + "the operators can read in docs/identity.md how to configure the provider.");
    }

    /// <summary>Returns the first team of the caller that may read a workflow. The team is charged.</summary>
    public Team? TeamFor(string workflow)
    {
        foreach (var team in Teams)
        {
            if (team.Workflows.Allow(workflow)) return team;
        }
        return null;
    }
}

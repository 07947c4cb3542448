using Gateway.Limits;

namespace Gateway.Callers;

/// <summary>Who is asking.</summary>
/// <param name="Id">What logs call the caller: a key's id, or the subject of a token or a session.</param>
/// <param name="Teams">The teams it may act for, in the order in which they are tried.</param>
/// <param name="Own">The quota of the key itself, beside its team's; null: it has none.</param>
/// <param name="IsOperator">Whether it may use <c>/admin</c>. Operators read no jobs.</param>
internal sealed record Caller(string Id, Team[] Teams, Quota? Own = null, bool IsOperator = false)
{
    // A key is of one team.
    private readonly Quota[]? _quotas = Own is null ? null : [.. Teams.SelectMany(team => team.Quotas), Own];

    /// <summary>The quotas that count for a request on behalf of one of its teams.</summary>
    public Quota[] QuotasOf(Team team) => _quotas ?? team.Quotas;

    /// <summary>The team that uses this route for the caller, likewise.</summary>
    /// <param name="workflows">What the request is about.</param>
    public Team? TeamFor(string route, string[] workflows) => Array.Find(Teams, team => team.MayUse(route, workflows));

    /// <summary>The team that reads this workflow for the caller, and is charged for it: the first that may.</summary>
    public Team? TeamFor(string workflow)
    {
        foreach (var team in Teams)
        {
            if (team.Workflows.Allow(workflow)) return team;
        }
        return null;
    }
}

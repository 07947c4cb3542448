namespace Gateway.Callers;

/// <summary>Who is asking.</summary>
/// <param name="Id">What logs call the caller: a key's id, or the subject of a token or a session.</param>
/// <param name="Teams">The teams it may act for, in the order in which they are tried.</param>
/// <param name="IsOperator">Whether it may use <c>/admin</c>. Operators read no jobs.</param>
internal sealed record Caller(string Id, Team[] Teams, bool IsOperator = false)
{
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

using System.Collections.Concurrent;

namespace Gateway.Limits;

/// <summary>
/// The buckets of all teams. A bucket outlives a change of configuration that leaves its quota as it was, so that
/// nobody gets a fresh burst from somebody else's edit.
/// </summary>
internal sealed class TeamQuotas : IDisposable
{
    private readonly ConcurrentDictionary<string, TeamQuota> _byTeam = new(StringComparer.OrdinalIgnoreCase);

    public TeamQuota For(string team, string policy, QuotaOptions options)
    {
        var kept = _byTeam.GetValueOrDefault(team);
        if (kept is not null && kept.Policy == policy && kept.Options == options) return kept;
        if (kept is not null) Retire(kept);
        return _byTeam[team] = new TeamQuota(policy, options);
    }

    /// <summary>Forgets every team but these.</summary>
    public void Keep(IEnumerable<string> teams)
    {
        foreach (var gone in _byTeam.Keys.Except(teams, StringComparer.OrdinalIgnoreCase))
        {
            if (_byTeam.TryRemove(gone, out var quota)) Retire(quota);
        }
    }

    public void Dispose()
    {
        foreach (var quota in _byTeam.Values) quota.Dispose();
    }

    // Requests that identified their caller a moment ago still hold it.
    private static void Retire(TeamQuota quota) =>
        _ = Task.Delay(TimeSpan.FromMinutes(1)).ContinueWith(_ => quota.Dispose(), TaskScheduler.Default);
}

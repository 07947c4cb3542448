using System.Collections.Concurrent;
using Gateway.Runtime;

namespace Gateway.Caching;

/// <summary>
/// The scopes that were purged, each with the order of its last purge. A job in the scope that was fetched before the
/// purge is not stored, even if its fetch ends after the purge. After a soft purge, the job is stored as stale.
/// </summary>
internal sealed class PurgeMarks
{
    private readonly ConcurrentDictionary<string, long> _orderOf = new(StringComparer.Ordinal);

    public IReadOnlyCollection<KeyValuePair<string, long>> All => _orderOf.ToArray();

    /// <returns>Whether the mark is new or later than the known one.</returns>
    public bool Add(PurgeScope scope, long order)
    {
        while (true)
        {
            if (!_orderOf.TryGetValue(scope.Name, out var known))
            {
                if (_orderOf.TryAdd(scope.Name, order)) return true;
            }
            else if (known >= order)
            {
                return false;
            }
            else if (_orderOf.TryUpdate(scope.Name, order, known))
            {
                return true;
            }
        }
    }

    /// <summary>Returns the order of the last purge that removes a job; 0 if there was none.</summary>
    public long LatestOf(JobKey key) => Latest(key, "");

    /// <summary>Returns the order of the last soft purge that covers a job; 0 if there was none.</summary>
    public long LatestSoftOf(JobKey key) => Latest(key, PurgeScope.Soft);

    /// <summary>Returns the order of the last purge of a job, soft or not: older failures do not count.</summary>
    public long LatestOfAny(JobKey key) => Math.Max(LatestOf(key), LatestSoftOf(key));

    /// <summary>Returns a snapshot as the soft purges leave it: stale if it was fetched before one of them.</summary>
    public JobSnapshot SoftPurged(JobKey key, JobSnapshot snapshot, SteadyClock clock)
    {
        var purge = LatestSoftOf(key);
        if (snapshot.Order > purge) return snapshot;
        var (at, now) = (clock.FromWall(DateTimeOffset.UnixEpoch.AddMicroseconds(purge)), clock.Now);
        return snapshot.StaleSince(at < now ? at : now);
    }

    private long Latest(JobKey key, string prefix)
    {
        if (_orderOf.IsEmpty) return 0;
        var account = prefix + key.Account;
        var (workflow, job) = (key.Address.Workflow, key.Address.Job);
        return Math.Max(
            Math.Max(Of(prefix + "*"), Of(account)),
            Math.Max(Of($"{account}/{workflow}"), Of($"{account}/{workflow}/{job}")));

        long Of(string scope) => _orderOf.GetValueOrDefault(scope);
    }

    /// <summary>Returns the purges that cover a job, the latest one last.</summary>
    public IReadOnlyList<(PurgeScope Scope, long Order)> Of(JobKey key) =>
    [
        .. _orderOf.Select(mark => (Scope: PurgeScope.TryParse(mark.Key, out var scope) ? scope : null, mark.Value))
            .Where(mark => mark.Scope?.Covers(key) == true)
            .OrderBy(mark => mark.Value).Select(mark => (mark.Scope!, mark.Value)),
    ];

    /// <summary>Removes marks below an order. All jobs that they cover have expired.</summary>
    public void Forget(long before)
    {
        foreach (var mark in _orderOf)
        {
            if (mark.Value < before) _orderOf.TryRemove(mark);
        }
    }
}

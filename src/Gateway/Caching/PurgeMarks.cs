using System.Collections.Concurrent;

namespace Gateway.Caching;

/// <summary>
/// The scopes that were purged, each with the order of its last purge. A job in the scope that was fetched before the
/// purge is not stored, even if its fetch ends after the purge.
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

    /// <summary>Returns the order of the last purge that covers a job; 0 if there was none.</summary>
    public long LatestOf(JobKey key)
    {
        if (_orderOf.IsEmpty) return 0;
        var (workflow, job) = (key.Address.Workflow, key.Address.Job);
        return Math.Max(
            Math.Max(Of("*"), Of(key.Account)),
            Math.Max(Of($"{key.Account}/{workflow}"), Of($"{key.Account}/{workflow}/{job}")));

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

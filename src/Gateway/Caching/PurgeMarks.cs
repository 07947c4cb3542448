using System.Collections.Concurrent;

namespace Gateway.Caching;

/// <summary>
/// What was purged, and when, in the order of fetches: whatever was fetched before is gone, also where a slow fetch
/// brings it in afterwards.
/// </summary>
internal sealed class PurgeMarks
{
    private readonly ConcurrentDictionary<string, long> _orderOf = new(StringComparer.Ordinal);

    public IReadOnlyCollection<KeyValuePair<string, long>> All => _orderOf.ToArray();

    /// <returns>Whether that was news.</returns>
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

    /// <summary>When this job was purged last; 0: never.</summary>
    public long LatestOf(JobKey key)
    {
        if (_orderOf.IsEmpty) return 0;
        var (workflow, job) = (key.Address.Workflow, key.Address.Job);
        return Math.Max(
            Math.Max(Of("*"), Of(key.Account)),
            Math.Max(Of($"{key.Account}/{workflow}"), Of($"{key.Account}/{workflow}/{job}")));

        long Of(string scope) => _orderOf.GetValueOrDefault(scope);
    }

    /// <summary>Forgets what is so old that nothing fetched before is left anywhere.</summary>
    public void Forget(long before)
    {
        foreach (var mark in _orderOf)
        {
            if (mark.Value < before) _orderOf.TryRemove(mark);
        }
    }
}

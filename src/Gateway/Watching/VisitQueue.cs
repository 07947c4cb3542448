namespace Gateway.Watching;

/// <summary>
/// Items in the order of their next visits. Thousands of items cost nothing between their visits. All members may be
/// called from any thread.
/// </summary>
internal sealed class VisitQueue<T> where T : class
{
    private readonly Lock _lock = new();
    private readonly Dictionary<T, (DateTimeOffset At, long Number)> _visits = [];
    private readonly SortedDictionary<(DateTimeOffset At, long Number), T> _ordered = [];
    private long _lastNumber;

    /// <summary>All items at this time.</summary>
    public T[] All
    {
        get { lock (_lock) return [.. _visits.Keys]; }
    }

    /// <summary>Adds an item. Its first visit is due at once.</summary>
    public void Add(T item)
    {
        lock (_lock) Put(item, (DateTimeOffset.MinValue, ++_lastNumber));
    }

    public void Remove(T item)
    {
        lock (_lock)
        {
            if (_visits.Remove(item, out var visit)) _ordered.Remove(visit);
        }
    }

    /// <summary>Returns the items whose visit is due. It stays due until the item is moved or removed.</summary>
    public List<T> Due(DateTimeOffset now)
    {
        lock (_lock) return [.. _ordered.TakeWhile(next => next.Key.At <= now).Select(next => next.Value)];
    }

    /// <summary>Sets the time of the next visit, unless the item was removed.</summary>
    public void Move(T item, DateTimeOffset at)
    {
        lock (_lock)
        {
            if (!_visits.TryGetValue(item, out var visit)) return;
            _ordered.Remove(visit);
            Put(item, (at, visit.Number));
        }
    }

    private void Put(T item, (DateTimeOffset At, long Number) visit)
    {
        _visits[item] = visit;
        _ordered[visit] = item;
    }
}

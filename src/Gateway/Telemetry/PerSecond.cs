using System.Runtime.InteropServices;

namespace Gateway.Telemetry;

/// <summary>
/// Bounds reports: within a second, the first occurrences of each key are reported one by one. The others are summed up
/// at the end of the second.
/// </summary>
internal sealed class PerSecond<TKey> : IDisposable where TKey : notnull
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private readonly int _whole, _most;
    private readonly TKey _rest;
    private readonly Action<TKey, int> _sumUp;
    private readonly ITimer _timer;
    private readonly Lock _lock = new();
    private Dictionary<TKey, int> _counts = [];

    /// <param name="whole">The number of occurrences of a key that are reported one by one in a second.</param>
    /// <param name="most">The number of different keys in a second.</param>
    /// <param name="rest">Replaces all further keys. Its occurrences are only summed up.</param>
    /// <param name="sumUp">Called on the thread pool with the number of further occurrences of a key.</param>
    public PerSecond(int whole, int most, TKey rest, TimeProvider clock, Action<TKey, int> sumUp)
    {
        (_whole, _most, _rest, _sumUp) = (whole, most, rest, sumUp);
        _timer = clock.CreateTimer(_ => End(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <returns>Whether this occurrence is to be reported by itself.</returns>
    public bool Take(TKey key)
    {
        lock (_lock)
        {
            if (_counts.Count == 0) _timer.Change(Second, Timeout.InfiniteTimeSpan);
            var isNew = !_counts.ContainsKey(key);
            var isRest = isNew && _counts.Count >= _most;
            ref var count = ref CollectionsMarshal.GetValueRefOrAddDefault(_counts, isRest ? _rest : key, out _);
            // Sum up all occurrences of the rest.
            if (isRest && count == 0) count = _whole;
            return ++count <= _whole;
        }
    }

    /// <summary>Sums up the occurrences of the current second.</summary>
    public void Dispose()
    {
        _timer.Dispose();
        End();
    }

    private void End()
    {
        Dictionary<TKey, int> counts;
        lock (_lock)
        {
            counts = _counts;
            if (counts.Count > 0) _counts = [];
        }
        foreach (var (key, count) in counts)
        {
            if (count > _whole) _sumUp(key, count - _whole);
        }
    }
}

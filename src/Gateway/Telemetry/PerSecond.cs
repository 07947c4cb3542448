using System.Runtime.InteropServices;

namespace Gateway.Telemetry;

/// <summary>
/// Bounds how often something is told: of each key the first occurrences within a second are told whole, and the others
/// are summed up when the second is over.
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

    /// <param name="whole">How many occurrences of a key are told whole in a second.</param>
    /// <param name="most">How many keys are told apart in a second.</param>
    /// <param name="rest">Stands for all keys beyond these; none of its occurrences is told whole.</param>
    /// <param name="sumUp">
    /// Told how many further occurrences of a key there were. It runs on a thread of the pool.
    /// </param>
    public PerSecond(int whole, int most, TKey rest, TimeProvider clock, Action<TKey, int> sumUp)
    {
        (_whole, _most, _rest, _sumUp) = (whole, most, rest, sumUp);
        _timer = clock.CreateTimer(_ => End(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <returns>Whether this occurrence is told whole.</returns>
    public bool Take(TKey key)
    {
        lock (_lock)
        {
            if (_counts.Count == 0) _timer.Change(Second, Timeout.InfiniteTimeSpan);
            var isNew = !_counts.ContainsKey(key);
            var isRest = isNew && _counts.Count >= _most;
            ref var count = ref CollectionsMarshal.GetValueRefOrAddDefault(_counts, isRest ? _rest : key, out _);
            // Of the rest all are summed up.
            if (isRest && count == 0) count = _whole;
            return ++count <= _whole;
        }
    }

    /// <summary>Sums up what has yet to be.</summary>
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

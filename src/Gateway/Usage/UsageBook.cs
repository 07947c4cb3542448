using Gateway.Callers;
using Gateway.Telemetry;

namespace Gateway.Usage;

/// <summary>What a node has counted within an hour, and Redis has not taken yet.</summary>
/// <param name="Number">The number of the batch. Redis takes each batch of a node once.</param>
/// <param name="Hour">The hour, in hours since 1970.</param>
/// <param name="Counts">The counts by counter, and when the counter was last used, in seconds since 1970.</param>
internal sealed record UsageBatch(
    long Number, long Hour, IReadOnlyList<(string Name, UseCount Count, long UsedAt)> Counts);

/// <summary>
/// The use of the last week on this node, by hour: all of it, and what Redis has not taken yet. The counters are read
/// every few seconds, so a request costs no more than an increment.
/// </summary>
internal sealed class UsageBook(UseCounters counters, TimeProvider clock)
{
    /// <summary>The number of hours that are kept: a week.</summary>
    public const int Hours = 7 * 24;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, UseCount> _seen = new(StringComparer.Ordinal);
    private readonly Dictionary<string, long> _usedAt = new(StringComparer.Ordinal);
    private readonly Dictionary<long, Hour> _hours = [];
    private long _batches;

    public long ThisHour => clock.GetUtcNow().ToUnixTimeSeconds() / 3600;

    /// <summary>Reads the counters, and adds what was counted since the last time to the current hour.</summary>
    public void Collect()
    {
        lock (_lock)
        {
            var (hour, now) = (ThisHour, clock.GetUtcNow().ToUnixTimeSeconds());
            foreach (var counter in counters.All)
            {
                var count = counter.Count;
                var added = count - _seen.GetValueOrDefault(counter.Name);
                if (added != default) Add(hour, counter.Name, added, now);
                _seen[counter.Name] = count;
            }
            foreach (var old in _hours.Keys.Where(old => old <= hour - Hours).ToList()) _hours.Remove(old);
        }
    }

    /// <summary>The batches to send. A batch stays the same until <see cref="Sent"/>.</summary>
    public IReadOnlyList<UsageBatch> Outgoing()
    {
        lock (_lock)
        {
            foreach (var (at, hour) in _hours)
            {
                if (hour.Outgoing is not null || hour.Waiting.Count == 0) continue;
                hour.Outgoing = new(++_batches, at,
                    [.. hour.Waiting.Select(count => (count.Key, count.Value, _usedAt.GetValueOrDefault(count.Key)))]);
                hour.Waiting.Clear();
            }
            return [.. _hours.Values.Select(hour => hour.Outgoing).OfType<UsageBatch>()];
        }
    }

    /// <summary>Notes that Redis has taken a batch.</summary>
    public void Sent(UsageBatch batch)
    {
        lock (_lock)
        {
            if (_hours.TryGetValue(batch.Hour, out var hour)) hour.Outgoing = null;
        }
    }

    /// <summary>Returns what this node has counted.</summary>
    /// <param name="from">The first hour.</param>
    public UsageFigures Read(long from)
    {
        lock (_lock)
        {
            var hours = _hours.Where(hour => hour.Key >= from);
            return new UsageFigures(
                hours.ToDictionary(hour => hour.Key, hour => hour.Value.All.ToDictionary()), _usedAt.ToDictionary());
        }
    }

    /// <summary>The names of the counters of all configured teams and keys.</summary>
    public static HashSet<string> ConfiguredNames(CallerOptions options) =>
    [
        .. options.Teams.SelectMany(team => team.Value.ApiKeys.Select(key => key.Id).Append("")
            .Select(key => UseCounters.NameOf(team.Key, key))),
        .. options.Operators.ApiKeys.Select(key => UseCounters.NameOf("", key.Id)),
    ];

    private void Add(long at, string name, UseCount added, long now)
    {
        if (!_hours.TryGetValue(at, out var hour)) _hours[at] = hour = new Hour();
        hour.All[name] = hour.All.GetValueOrDefault(name) + added;
        hour.Waiting[name] = hour.Waiting.GetValueOrDefault(name) + added;
        if (added.Requests > 0) _usedAt[name] = now;
    }

    private sealed class Hour
    {
        public Dictionary<string, UseCount> All { get; } = new(StringComparer.Ordinal);

        public Dictionary<string, UseCount> Waiting { get; } = new(StringComparer.Ordinal);

        public UsageBatch? Outgoing { get; set; }
    }
}

/// <summary>The counts of each hour by counter, and when each counter was last used, in seconds since 1970.</summary>
internal sealed record UsageFigures(
    Dictionary<long, Dictionary<string, UseCount>> Hours, Dictionary<string, long> UsedAt);

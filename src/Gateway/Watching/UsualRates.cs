using Gateway.Caching;
using Microsoft.Extensions.Caching.Memory;

namespace Gateway.Watching;

/// <summary>
/// How often the jobs of each workflow change, as far as this node has polled them for watchers. A newly watched job
/// starts with this rate.
/// </summary>
internal sealed class UsualRates : IDisposable
{
    private const int MaxWorkflows = 10_000;

    /// <summary>The number of changes in a second that is assumed of an unknown workflow.</summary>
    public const double Unknown = 1 / 60.0;

    private readonly MemoryCache _rates = new(new MemoryCacheOptions { SizeLimit = MaxWorkflows });

    /// <summary>The usual number of changes in a second of a workflow's jobs.</summary>
    public double Of(JobKey key) =>
        _rates.TryGetValue(WorkflowOf(key), out var known) && known is Rate rate ? rate.Value : Unknown;

    /// <summary>Notes what a poll has seen.</summary>
    /// <param name="since">The time since the last poll.</param>
    public void Note(JobKey key, TimeSpan since, bool hasChanged)
    {
        var workflow = WorkflowOf(key);
        if (!_rates.TryGetValue(workflow, out var known) || known is not Rate rate)
        {
            rate = new Rate();
            _rates.Set(
                workflow, rate, new MemoryCacheEntryOptions { Size = 1, SlidingExpiration = TimeSpan.FromDays(7) });
        }
        rate.Note(since, hasChanged);
    }

    public void Dispose() => _rates.Dispose();

    private static (string, string) WorkflowOf(JobKey key) => (key.Account, key.Address.Workflow);

    /// <summary>The average rate over many polls.</summary>
    internal sealed class Rate
    {
        // A few hundred polls count.
        private const double Memory = 0.995;

        private readonly Lock _lock = new();
        private double _changes = 1, _seconds = 1 / Unknown;

        public double Value
        {
            get { lock (_lock) return _changes / _seconds; }
        }

        public void Note(TimeSpan since, bool hasChanged)
        {
            lock (_lock)
            {
                var changes = hasChanged ? ChangeRate.ExpectedChanges(_changes / _seconds * since.TotalSeconds) : 0;
                _changes = _changes * Memory + changes;
                _seconds = _seconds * Memory + since.TotalSeconds;
            }
        }
    }
}

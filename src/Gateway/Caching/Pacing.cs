using Gateway.Jobs;
using Gateway.Runtime;
using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.Options;

namespace Gateway.Caching;

/// <summary>
/// Computes the polling interval of a running job: a third of its expected remaining time, or a tenth of the time by
/// which it is overdue. The expected duration is the median of the workflow's last jobs that this node has seen, or the
/// job's own <c>estimated_duration</c>. The job's progress corrects it.
/// </summary>
internal sealed class Pacing(IOptionsMonitor<JobsOptions> options, SteadyClock clock) : IDisposable
{
    private const int MaxWorkflows = 10_000, MaxDurations = 16, MinDurations = 3;

    private const double ShareOfRest = 1 / 3.0, ShareOfOverdue = 0.1, Jitter = 0.1, MinProgress = 0.05;

    private readonly MemoryCache _durations = new(new MemoryCacheOptions { SizeLimit = MaxWorkflows });

    /// <summary>Records the duration of a job that has succeeded.</summary>
    /// <param name="isFetched">
    /// Whether the snapshot comes from the upstream. Otherwise it counts only until <see cref="MaxDurations"/> jobs are
    /// known, because it may be old.
    /// </param>
    public void Observe(JobKey key, JobSnapshot snapshot, bool isFetched = true)
    {
        if (snapshot.Kind != VerdictKind.Finished) return;
        var workflow = WorkflowOf(key);
        var durations = _durations.TryGetValue(workflow, out var known) ? known as Durations : null;
        if (!isFetched && durations is { IsFull: true } || snapshot.Times.Took is not { } took) return;
        if (durations is null)
        {
            durations = new Durations();
            var entry = new MemoryCacheEntryOptions { Size = 1, SlidingExpiration = TimeSpan.FromDays(7) };
            _durations.Set(workflow, durations, entry);
        }
        durations.Add(key.Address.Job, took);
    }

    /// <summary>
    /// Returns the time until the next poll of a running job, in whole seconds within the configured bounds. The poll
    /// is never before the snapshot becomes stale, nor before the time that the upstream asks for.
    /// </summary>
    /// <param name="now">The time by the steady clock, like the times of the snapshot.</param>
    public TimeSpan NextPoll(JobKey key, JobSnapshot snapshot, DateTimeOffset now)
    {
        var usual = _durations.TryGetValue(WorkflowOf(key), out var known) ? (known as Durations)?.Usual : null;
        var interval = Interval(snapshot.Times, usual, clock.ToWall(now));
        interval *= 1 + Jitter * (2 * Random.Shared.NextDouble() - 1);
        var (least, most) = (options.CurrentValue.MinPollInterval, options.CurrentValue.MaxPollInterval);
        var seconds = Math.Ceiling(Math.Clamp(interval.TotalSeconds, least.TotalSeconds, most.TotalSeconds));
        seconds = Math.Min(seconds, Math.Floor(most.TotalSeconds));
        var nextFetch = snapshot.AskAgainAt is { } again && again > snapshot.FreshUntil ? again : snapshot.FreshUntil;
        // The time of the fetch may be ahead of this node's clock.
        var since = now < snapshot.FetchedAt ? snapshot.FetchedAt : now;
        return TimeSpan.FromSeconds(Math.Max(seconds, Math.Ceiling((nextFetch - since).TotalSeconds)));
    }

    /// <summary>
    /// Returns when a running job is expected to end: from its workflow's last jobs, or from its own estimate, and from
    /// its progress.
    /// </summary>
    /// <param name="now">The time by the steady clock, like the times of the snapshot.</param>
    /// <returns>Null if nothing is known.</returns>
    public ExpectedEnd? Expect(JobKey key, JobSnapshot snapshot, DateTimeOffset now)
    {
        if (snapshot.Times is not { StartedAt: { } started } job) return null;
        var known = _durations.TryGetValue(WorkflowOf(key), out var found) ? found as Durations : null;
        var spread = known?.Spread ?? ExpectedEnd.SpreadOfEstimate;
        if (Rest(job, known?.Usual, clock.ToWall(now)) is not { } rest) return null;
        if (job.Progress is { } progress) spread *= 1 - progress;
        return ExpectedEnd.Of(clock.FromWall(started), now + rest, spread);
    }

    public void Dispose() => _durations.Dispose();

    /// <summary>Returns the interval before jitter and bounds; zero if nothing is known.</summary>
    /// <param name="usual">The usual duration of the workflow's jobs; null if unknown.</param>
    public static TimeSpan Interval(JobTimes job, TimeSpan? usual, DateTimeOffset now)
    {
        if (now - job.StartedAt is not { } elapsed) return TimeSpan.Zero;
        var rest = Rest(job, usual, now);
        if (rest is { Ticks: > 0 } left) return left * ShareOfRest;
        // The upstream's clock may be ahead.
        return (rest is { } overdue ? -overdue : elapsed > TimeSpan.Zero ? elapsed : TimeSpan.Zero) * ShareOfOverdue;
    }

    /// <summary>
    /// Returns the expected remaining time; negative if the job is overdue, null if nothing is known.
    /// </summary>
    private static TimeSpan? Rest(JobTimes job, TimeSpan? usual, DateTimeOffset now)
    {
        if (now - job.StartedAt is not { } elapsed) return null;
        if (elapsed < TimeSpan.Zero) elapsed = TimeSpan.Zero;
        var rest = (usual ?? job.Estimated) - elapsed;
        if (job.Progress is not (>= MinProgress and < 1 and var progress)) return rest;
        // The weight of the job's own pace grows with its progress.
        var byProgress = elapsed * ((1 - progress) / progress);
        return rest is { Ticks: > 0 } ? rest.Value * (1 - progress) + byProgress * progress : byProgress;
    }

    private static (string, string) WorkflowOf(JobKey key) => (key.Account, key.Address.Workflow);

    private sealed class Durations
    {
        private readonly Queue<(string Job, TimeSpan Took)> _last = new();
        private TimeSpan? _usual;
        private double? _spread;
        private bool _hasChanged;

        public bool IsFull
        {
            get { lock (_last) return _last.Count == MaxDurations; }
        }

        /// <summary>The median; null if there are fewer than <see cref="MinDurations"/>.</summary>
        public TimeSpan? Usual
        {
            get
            {
                lock (_last)
                {
                    Compute();
                    return _usual;
                }
            }
        }

        /// <summary>How far the durations spread; null if there are fewer than <see cref="MinDurations"/>.</summary>
        public double? Spread
        {
            get
            {
                lock (_last)
                {
                    Compute();
                    return _spread;
                }
            }
        }

        private void Compute()
        {
            if (_hasChanged && _last.Count >= MinDurations)
            {
                _usual = _last.Select(known => known.Took).Order().ElementAt(_last.Count / 2);
                _spread = ExpectedEnd.SpreadOf(_last.Select(known => known.Took));
            }
            _hasChanged = false;
        }

        public void Add(string job, TimeSpan took)
        {
            lock (_last)
            {
                foreach (var known in _last)
                {
                    if (known.Job == job) return;
                }
                _last.Enqueue((job, took));
                if (_last.Count > MaxDurations) _last.Dequeue();
                _hasChanged = true;
            }
        }
    }
}

using Gateway.Jobs;
using Gateway.Runtime;
using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.Options;

namespace Gateway.Caching;

/// <summary>
/// Tells clients of a running job when to ask again: in a third of the time that it is thought to take still, and the
/// longer it is overdue, the later. What it is thought to take is what the workflow's last jobs took, as far as this
/// node has seen them, else what the job says itself; its own progress corrects both.
/// </summary>
internal sealed class Pacing(IOptionsMonitor<JobsOptions> options, SteadyClock clock) : IDisposable
{
    private const int Workflows = 10_000, Remembered = 16, Enough = 3;

    private const double ShareOfRest = 1 / 3.0, ShareOfOverdue = 0.1, Jitter = 0.1, LeastProgress = 0.05;

    private readonly MemoryCache _durations = new(new MemoryCacheOptions { SizeLimit = Workflows });

    /// <summary>Takes note of how long a job took that has succeeded.</summary>
    /// <param name="isNews">Whether it has just been fetched; else it only counts while little is known.</param>
    public void Observe(JobKey key, JobSnapshot snapshot, bool isNews = true)
    {
        if (snapshot.Kind != VerdictKind.Finished) return;
        var workflow = WorkflowOf(key);
        var durations = _durations.TryGetValue(workflow, out var known) ? known as Durations : null;
        if (!isNews && durations is { IsFull: true } || snapshot.Times.Took is not { } took) return;
        if (durations is null)
        {
            durations = new Durations();
            _durations.Set(workflow, durations, new MemoryCacheEntryOptions { Size = 1, SlidingExpiration = TimeSpan.FromDays(7) });
        }
        durations.Add(key.Address.Job, took);
    }

    /// <summary>
    /// How long from now a poll of a running job is next worth its while: whole seconds, within the configured bounds,
    /// never before the snapshot's freshness ends, for until then there is nothing new, and no sooner than the upstream
    /// itself wants to be asked.
    /// </summary>
    /// <param name="now">By the steady clock, as the snapshot's own times.</param>
    public TimeSpan NextPoll(JobKey key, JobSnapshot snapshot, DateTimeOffset now)
    {
        var usual = _durations.TryGetValue(WorkflowOf(key), out var known) ? (known as Durations)?.Usual : null;
        var interval = Interval(snapshot.Times, usual, clock.ToWall(now));
        interval *= 1 + Jitter * (2 * Random.Shared.NextDouble() - 1);
        var (least, most) = (options.CurrentValue.MinPollInterval, options.CurrentValue.MaxPollInterval);
        var seconds = Math.Ceiling(Math.Clamp(interval.TotalSeconds, least.TotalSeconds, most.TotalSeconds));
        seconds = Math.Min(seconds, Math.Floor(most.TotalSeconds));
        var news = snapshot.AskAgainAt is { } again && again > snapshot.FreshUntil ? again : snapshot.FreshUntil;
        // No snapshot is fresh for longer than when it was new.
        var since = now < snapshot.FetchedAt ? snapshot.FetchedAt : now;
        return TimeSpan.FromSeconds(Math.Max(seconds, Math.Ceiling((news - since).TotalSeconds)));
    }

    public void Dispose() => _durations.Dispose();

    /// <summary>A pure function of what is known; zero where nothing is.</summary>
    /// <param name="usual">What the workflow's jobs take, or null.</param>
    public static TimeSpan Interval(JobTimes job, TimeSpan? usual, DateTimeOffset now)
    {
        if (now - job.StartedAt is not { } elapsed) return TimeSpan.Zero;
        // The clocks need not agree.
        if (elapsed < TimeSpan.Zero) elapsed = TimeSpan.Zero;
        var rest = (usual ?? job.Estimated) - elapsed;
        if (job.Progress is >= LeastProgress and < 1 and var progress)
        {
            // The further it is, the more its own pace counts.
            var byProgress = elapsed * ((1 - progress) / progress);
            rest = rest is { Ticks: > 0 } ? rest.Value * (1 - progress) + byProgress * progress : byProgress;
        }
        return rest is { Ticks: > 0 } left ? left * ShareOfRest : (rest is { } overdue ? -overdue : elapsed) * ShareOfOverdue;
    }

    private static (string, string) WorkflowOf(JobKey key) => (key.Account, key.Address.Workflow);

    private sealed class Durations
    {
        private readonly Queue<(string Job, TimeSpan Took)> _last = new();
        private TimeSpan? _usual;
        private bool _isNew;

        public bool IsFull
        {
            get { lock (_last) return _last.Count == Remembered; }
        }

        /// <summary>The median; null where there were too few.</summary>
        public TimeSpan? Usual
        {
            get
            {
                lock (_last)
                {
                    if (_isNew) (_usual, _isNew) = (_last.Count < Enough ? null : _last.Select(known => known.Took).Order().ElementAt(_last.Count / 2), false);
                    return _usual;
                }
            }
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
                if (_last.Count > Remembered) _last.Dequeue();
                _isNew = true;
            }
        }
    }
}

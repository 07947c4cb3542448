using Gateway.Caching;
using Gateway.Jobs;
using Gateway.Redis;
using Gateway.Runtime;
using Gateway.Telemetry;
using Gateway.Upstream;
using Microsoft.Extensions.Options;

namespace Gateway.Watching;

/// <summary>
/// The jobs that callers watch on this node. Each has one poller, which uses the same fills as all other requests, so a
/// job is fetched once in the whole cluster, no matter how many watch it. A job without watchers costs nothing. Polls
/// rank behind callers who wait for an answer (<see cref="PollQueue"/>).
/// </summary>
internal sealed partial class WatchedJobs : IDisposable
{
    // A finished job is looked at again after this time, in case that a message about a purge was lost.
    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(5);

    private readonly JobSource _jobs;
    private readonly JobCache _cache;
    private readonly JobChannel _channel;
    private readonly RedisConnection _redis;
    private readonly Pacing _pacing;
    private readonly PollQueues _polls;
    private readonly UsualRates _rates = new();
    private readonly UseCounters _counters;
    private readonly WatchingMetrics _metrics;
    private readonly IOptionsMonitor<WatchingOptions> _options;
    private readonly IOptionsMonitor<JobsOptions> _jobsOptions;
    private readonly SteadyClock _steady;
    private readonly TimeProvider _clock;
    private readonly ILogger<WatchedJobs> _logger;
    private readonly Lock _lock = new();
    private readonly Dictionary<string, WatchedJob> _watched = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _ofTeam = new(StringComparer.Ordinal);
    private int _watchers;

    public WatchedJobs(
        JobSource jobs, JobCache cache, JobChannel channel, RedisConnection redis, Pacing pacing, AccountGates gates,
        IOptionsMonitor<WatchingOptions> options, IOptionsMonitor<JobsOptions> jobsOptions, WatchingMetrics metrics,
        UseCounters counters, SteadyClock steady, TimeProvider clock, ILogger<WatchedJobs> logger)
    {
        _counters = counters;
        (_polls, _metrics) = (new PollQueues(gates, steady), metrics);
        (_jobs, _cache, _channel, _redis, _pacing, _options) = (jobs, cache, channel, redis, pacing, options);
        (_jobsOptions, _steady, _clock, _logger) = (jobsOptions, steady, clock, logger);
        _cache.Stored += WakeJob;
        _channel.FetchEnded += Wake;
        metrics.Observe(() => Watchers, () => Count);
    }

    /// <summary>The number of watchers on this node.</summary>
    public int Watchers
    {
        get { lock (_lock) return _watchers; }
    }

    /// <summary>The number of watched jobs on this node.</summary>
    public int Count
    {
        get { lock (_lock) return _watched.Count; }
    }

    /// <summary>Begins to watch a job.</summary>
    /// <param name="signal">Set at each change of the job's state.</param>
    /// <param name="kind">What the watcher is.</param>
    /// <returns>Null if the node or the team has no room for one more watcher.</returns>
    public Watch? Begin(JobKey key, string team, Signal signal, WatcherKind kind)
    {
        WatchedJob job;
        bool isFirst;
        lock (_lock)
        {
            var (options, ofTeam) = (_options.CurrentValue, _ofTeam.GetValueOrDefault(team));
            if (_watchers >= options.MaxWatchers || ofTeam >= options.MaxWatchersPerTeam) return null;
            _watchers++;
            _ofTeam[team] = ofTeam + 1;
            var name = key.Name;
            if (!_watched.TryGetValue(name, out job!)) _watched[name] = job = NewJob(key);
            isFirst = job.Add(kind, team, signal);
        }
        if (isFirst)
        {
            // The poller belongs to no request.
            using (ExecutionContext.SuppressFlow()) _ = Task.Run(() => PollAsync(job));
        }
        return new Watch(this, job, team, signal, kind);
    }

    /// <summary>Finds a watched job of this node, and whether its poll waits for the account's budget.</summary>
    public (WatchedJob Job, bool Waits)? Find(JobKey key)
    {
        WatchedJob? job;
        lock (_lock) _watched.TryGetValue(key.Name, out job);
        return job is null ? null : (job, _polls.Of(key.Account).Has(job.Poll));
    }

    public void Dispose()
    {
        _cache.Stored -= WakeJob;
        _channel.FetchEnded -= Wake;
        _rates.Dispose();
    }

    private WatchedJob NewJob(JobKey key) => new(key, new JobOutlook(_rates.Of(key)));

    private void End(WatchedJob job, string team, Signal signal, WatcherKind kind)
    {
        lock (_lock)
        {
            _watchers--;
            if (--_ofTeam[team] == 0) _ofTeam.Remove(team);
            if (!job.Remove(kind, team, signal)) return;
            _watched.Remove(job.Key.Name);
        }
        job.Wake();
    }

    private void WakeJob(JobKey key)
    {
        // Most nodes have no watchers most of the time. Then this costs no look-up.
        if (Volatile.Read(ref _watchers) > 0) Wake(key.Name);
    }

    private void Wake(string name)
    {
        WatchedJob? job;
        lock (_lock) _watched.TryGetValue(name, out job);
        job?.Wake();
    }

    private async Task PollAsync(WatchedJob job)
    {
        var next = _steady.Now;
        while (job.Teams is [var team, ..] teams)
        {
            try
            {
                var isDue = _steady.Now >= next;
                var lookup = isDue ? await LookAsync(job, team, teams) : await FindNewerAsync(job);
                if (lookup is not null)
                {
                    Publish(job, lookup);
                    next = _steady.Now + PauseAfter(job.Key, lookup);
                }
            }
            catch (Exception e)
            {
                // The watchers keep the last state, and the next look may succeed.
                Log.Failed(_logger, job.Key.Address, e);
                next = _steady.Now + _options.CurrentValue.MaxPollInterval;
            }
            job.NextLook = next;
            var pause = next - _steady.Now;
            if (pause > TimeSpan.Zero) await job.WaitAsync(pause, _clock);
        }
        _polls.Of(job.Key.Account).Remove(job.Poll);
    }

    /// <summary>Looks at a job that is due, when the account's budget has a call to spare.</summary>
    /// <returns>Null: the job still waits for its turn.</returns>
    private async Task<Lookup?> LookAsync(WatchedJob job, string team, string[] teams)
    {
        var polls = _polls.Of(job.Key.Account);
        if (await FindFreshAsync(job) is { } fresh)
        {
            polls.Remove(job.Poll);
            return new Lookup.Hit(fresh);
        }
        await job.WaitAsync(polls.Add(job.Poll, teams, isFailureKnown: job.State?.Failure is not null));
        if (job.Poll.Turn.Task.IsCompleted && polls.TakeTurn(job.Poll) is { } ticket)
        {
            var lookup = await _jobs.FillAsync(job.Key, team, _counters.Of(team), ticket);
            if (ticket.IsUsed) _metrics.Polled();
            return lookup;
        }
        // Another request or another node may have fetched the job.
        var newer = await FindNewerAsync(job);
        if (newer is not null) polls.Remove(job.Poll);
        return newer;
    }

    private async ValueTask<JobSnapshot?> FindFreshAsync(WatchedJob job)
    {
        var now = _steady.Now;
        if (_jobs.FindFresh(job.Key, now) is { } fresh) return fresh;
        // While the job is watched, the node hears of each new snapshot.
        if (job.State is not null) return null;
        var found = (await _cache.FindAsync(job.Key, _redis.NewTimeBudget())).Snapshot;
        return found?.IsFresh(_steady.Now) == true ? found : null;
    }

    private void Publish(WatchedJob job, Lookup lookup)
    {
        var state = WatchedState.Of(lookup);
        var (now, outlook) = (_steady.Now, job.Poll.Outlook);
        if (state.Failure is not null) outlook.NoteFailure(now);
        // A watcher does not wait for this answer. That the budget is short is no failure of the upstream.
        if (state.Failure?.Verdict.Kind == VerdictKind.OverBudget) return;
        var before = job.LastSnapshot;
        job.Publish(state);
        if (state is not { Failure: null, Snapshot: { } snapshot }) return;
        var at = snapshot.FetchedAt < now ? snapshot.FetchedAt : now;
        var hasChanged = before is not null
            && !before.Identity.Body.Span.SequenceEqual(snapshot.Identity.Body.Span);
        if (before is not null && at > before.FetchedAt) _rates.Note(job.Key, at - before.FetchedAt, hasChanged);
        var end = snapshot.Kind == VerdictKind.Running ? _pacing.Expect(job.Key, snapshot, now) : null;
        outlook.Note(at, hasChanged, end);
    }

    /// <summary>
    /// Finds the snapshot that another request or another node has stored. It never fetches: a fetch on one node wakes
    /// the others, and they must not answer it with fetches of their own.
    /// </summary>
    private async Task<Lookup?> FindNewerAsync(WatchedJob job)
    {
        var known = job.LastSnapshot;
        var found = _cache.FindInMemory(job.Key);
        if (found is null || (found == known && !found.IsFresh(_steady.Now)))
        {
            found = (await _cache.FindAsync(job.Key, _redis.NewTimeBudget())).Snapshot;
        }
        // After a failure without a stale snapshot, an older snapshot says nothing about the upstream.
        var failedAt = job.State?.Failure?.Order ?? 0;
        return found is not null && found != known && found.Outranks(known) && found.Order > failedAt
            ? new Lookup.Hit(found) : null;
    }

    private TimeSpan PauseAfter(JobKey key, Lookup lookup)
    {
        var now = _steady.Now;
        // A job whose answers have no lifetime must not be fetched all the time.
        var least = _jobsOptions.CurrentValue.MinPollInterval;
        var failure = (lookup as Lookup.Stale)?.Why ?? (lookup as Lookup.Failed)?.Why;
        if (failure is not null) return failure.BackOff > least ? failure.BackOff : least;
        var snapshot = lookup.Snapshot!;
        var left = snapshot.FreshUntil - now;
        if (snapshot.Kind == VerdictKind.Running)
        {
            var next = _pacing.NextPoll(key, snapshot, now);
            var most = _options.CurrentValue.MaxPollInterval;
            if (next > most) next = most;
            if (next > left) left = next;
            if (snapshot.AskAgainAt is { } again && again - now > left) left = again - now;
        }
        return left < least ? least : left > LongestPause ? LongestPause : left;
    }

    /// <summary>One watcher of a job. Dispose of it when the watcher leaves.</summary>
    internal sealed class Watch(
        WatchedJobs owner, WatchedJob job, string team, Signal signal, WatcherKind kind) : IDisposable
    {
        private bool _hasEnded;

        public JobKey Key => job.Key;

        /// <summary>The newest state; null until the first look has ended.</summary>
        public WatchedState? State => job.State;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _hasEnded, true)) return;
            owner.End(job, team, signal, kind);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Error, "A defect of the gateway ended a look at the watched job {Job}; it is repeated")]
        public static partial void Failed(ILogger logger, JobAddress job, Exception defect);
    }
}

using Gateway.Jobs;
using Gateway.Redis;
using Gateway.Runtime;
using Gateway.Telemetry;
using Gateway.Upstream;
using Microsoft.Extensions.Options;

namespace Gateway.Caching;

/// <summary>
/// Steps 5 to 7 of the request path: looks a job up, fetches it, classifies the answer, and stores it.
/// </summary>
internal sealed partial class JobSource(
    JobCache cache, JobMemory memory, SharedJobs shared, HeldLocks heldLocks, JobChannel channel, RedisConnection redis,
    UpstreamClient upstream, AccountGates gates, FetchOrder order, LargeBodies bodies,
    IEnumerable<IJobObserver> observers, IOptionsMonitor<UpstreamOptions> upstreamOptions,
    IOptionsMonitor<JobsOptions> jobsOptions, CacheMetrics metrics, TimeProvider clock, SteadyClock steady,
    ILogger<JobSource> logger)
{
    // The time to store an answer after the call to the upstream.
    private static readonly TimeSpan StoreMargin = TimeSpan.FromMilliseconds(500);

    // After a failed fill, callers wait this long for the next fill before they get the failure.
    private static readonly TimeSpan Grace = TimeSpan.FromMilliseconds(500);

    private const int MaxLooks = 3, MaxFetches = 3;

    private readonly IJobObserver[] _observers = [.. observers];

    private readonly SingleFlight<JobKey, Lookup> _fills = new();

    // After a failure, one look into Redis serves all callers who wait for the job.
    private readonly SingleFlight<JobKey, JobSnapshot?> _looks = new();

    /// <summary>Finds a fresh snapshot in this node's memory.</summary>
    /// <returns>Null if there is none.</returns>
    public JobSnapshot? FindFresh(JobKey key, DateTimeOffset now) =>
        cache.FindInMemory(key) is { } snapshot && snapshot.IsFresh(now) ? snapshot : null;

    /// <summary>Whether this node fills the job at this time.</summary>
    public bool IsFilling(JobKey key) => _fills.IsRunning(key);

    /// <summary>
    /// Joins this node's fill of the job, or starts one. If the last fill failed and this one does not end soon, the
    /// result is the last failure, and the fill goes on in the background.
    /// </summary>
    /// <param name="team">The caller's team. If the account's budget is short, teams take turns.</param>
    /// <param name="use">Counts the calls of a fill that this caller starts.</param>
    public Task<Lookup> FillAsync(JobKey key, string team, UseCounter? use, out bool collapsed)
    {
        var lastFailure = memory.FindLastFailure(key);
        var trace = FillTrace.Of(key, upstreamOptions.CurrentValue.PropagateTraceContext);
        var fill = _fills.Join(key, key => RunFillAsync(key, new Payer(team, use), trace), out collapsed, trace);
        (fill.AsyncState as FillTrace)?.Link();
        if (collapsed && !fill.IsCompleted) gates.Of(key.Account).Join(key.Address, team);
        return lastFailure is null ? fill : WaitShortlyAsync(key, fill, lastFailure);
    }

    /// <summary>
    /// Joins this node's fill of the job, or starts one with a permit that was acquired before. The permit is returned
    /// if the fill makes no call, because another fill or another node fetches the job.
    /// </summary>
    /// <param name="team">The team whose turn further calls take, such as retries.</param>
    /// <param name="use">Counts the calls.</param>
    public Task<Lookup> FillAsync(JobKey key, string team, UseCounter use, CallTicket ticket)
    {
        var trace = FillTrace.Of(key, propagates: false);
        var payer = new Payer(team, use);
        var fill = _fills.Join(key, key => RunFillAsync(key, payer, trace, ticket), out var collapsed, trace);
        if (collapsed) ticket.Return();
        return fill;
    }

    /// <summary>
    /// Returns a snapshot's body in a content coding that the caller accepts. A coding that is made is kept beside the
    /// snapshot. If there is no memory to make it, the body is returned without a coding.
    /// </summary>
    public async ValueTask<Representation> RepresentAsync(JobKey key, JobSnapshot snapshot, ContentCoding[] wanted)
    {
        if (snapshot.Find(wanted) is { } found) return found;
        try
        {
            var made = await snapshot.EncodeAsync(wanted, bodies.Budget);
            await memory.UpdateSizeAsync(key, snapshot);
            return made;
        }
        catch (OutOfMemoryException)
        {
            return snapshot.Identity;
        }
    }

    private async Task<Lookup> WaitShortlyAsync(JobKey key, Task<Lookup> fill, FailedFill lastFailure)
    {
        await ((Task)fill).WaitAsync(Grace).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return fill.IsCompleted ? await fill : await FailAsync(key, lastFailure);
    }

    private async Task<Lookup> RunFillAsync(JobKey key, Payer payer, FillTrace? trace, CallTicket? ticket = null)
    {
        using var ends = trace;
        trace?.Enter();
        Lookup lookup;
        try
        {
            lookup = await FindOrFetchAsync(key, payer, ticket);
        }
        catch (OutOfMemoryException)
        {
            return Fail(FailedFill.NoRoom, cache.FindInMemory(key));
        }
        finally
        {
            ticket?.Return();
        }
        if (lookup is Lookup.Hit or Lookup.Fetched) memory.ForgetFailure(key);
        if (lookup is Lookup.Failed { Why: var why }) trace?.Fail(why.Verdict.Detail);
        return lookup;
    }

    /// <summary>
    /// Runs one fill: reads the job from Redis, or waits for another node's fetch, or fetches it from the upstream. A
    /// fill takes no longer than the upstream's timeout, and that again for each node that dies or pauses during its
    /// fetch.
    /// </summary>
    private async Task<Lookup> FindOrFetchAsync(JobKey key, Payer payer, CallTicket? ticket)
    {
        using var listener = channel.Listen(key.Name);
        await redis.WaitAfterPauseAsync();
        // Another fill of this node may just have ended. Check memory only once: later it may hold this fill's own late
        // result.
        if (memory.FindFailure(key) is null && FindFresh(key, steady.Now) is { } kept) return new Lookup.Hit(kept);

        long awaited = 0;
        var (fetches, isRefresh) = (0, false);
        for (var looks = 1; ; looks++)
        {
            await redis.WaitAfterPauseAsync();
            var budget = redis.NewTimeBudget();
            if (memory.FindFailure(key) is { } failure) return await FailAsync(key, failure);

            var ((known, unusable), fetchLock) = await cache.FindOrLockAsync(key, awaited, LongestFetch, budget);
            if (fetchLock is null)
            {
                if (awaited > 0 && known?.Order >= awaited) return Lookup.Fetched.Elsewhere(known, isRefresh);
                if (known?.IsFresh(steady.Now) == true) return new Lookup.Hit(known);
                var knownOrder = looks < MaxLooks ? known?.Order ?? 0 : long.MaxValue;
                fetchLock = await shared.LockAsync(
                    key, knownOrder, awaited, unusable, LongestFetch, budget, above: known?.Order ?? 0);
            }
            switch (fetchLock)
            {
                case FetchLock.NewerStored:
                    continue;
                case FetchLock.HeldElsewhere theirs:
                    ticket?.Return();
                    awaited = theirs.Order;
                    isRefresh = known is { IsAbsent: false };
                    await listener.WaitAsync(theirs.Left);
                    looks = 0;
                    continue;
                case FetchLock.FailedBefore(var theirFailure):
                    await memory.KeepAsync(key, theirFailure);
                    return Fail(theirFailure, known);
            }
            var lookup = await FetchAsync(key, payer, ticket, fetchLock as FetchLock.Acquired, known, budget);
            if (lookup is not null) return lookup;
            if (++fetches == MaxFetches) return Fail(FailedFill.TooLate, known);
        }
    }

    private TimeSpan LongestFetch => upstreamOptions.CurrentValue.Timeout + StoreMargin;

    /// <summary>
    /// Fetches a job, and releases the fetch lock also after an exception. An exception is a defect of the gateway,
    /// unless memory is short. The defect is logged, and callers on all nodes who wait for the job get a failure.
    /// </summary>
    /// <returns>
    /// Null if the fetch took so long that another node may have taken over. Its answer is too old to use.
    /// </returns>
    private async Task<Lookup?> FetchAsync(
        JobKey key, Payer payer, CallTicket? ticket, FetchLock.Acquired? fetchLock, JobSnapshot? known,
        TimeBudget budget)
    {
        var asked = fetchLock?.Order ?? order.NextFetch(known?.Order ?? 0);
        using var held = fetchLock is null ? null : heldLocks.Keep(SharedJobs.Lock(key), fetchLock, LongestFetch);
        try
        {
            return await FetchAsync(key, payer, ticket, fetchLock, asked, known, budget);
        }
        catch (Exception e)
        {
            var isMemoryShort = e is OutOfMemoryException;
            if (!isMemoryShort) Log.Defect(logger, key.Address, e);
            var failed = isMemoryShort ? FailedFill.NoRoom : FailedFill.OfGateway(jobsOptions.CurrentValue);
            var failure = failed with { Order = asked };
            await memory.KeepAsync(key, failure);
            if (fetchLock is not null) await shared.ReleaseAsync(key, fetchLock, failure, redis.NewTimeBudget());
            return Fail(failure, known);
        }
    }

    private async Task<Lookup?> FetchAsync(
        JobKey key, Payer payer, CallTicket? ticket, FetchLock.Acquired? fetchLock, long asked, JobSnapshot? known,
        TimeBudget budget)
    {
        var started = clock.GetTimestamp();
        // The other half of the timeout is for reading the body.
        using var share = bodies.Budget.NewShare(longestWait: upstreamOptions.CurrentValue.Timeout / 2);
        var isRefresh = known is { IsAbsent: false };
        var answer = await upstream.GetJobAsync(
            key.Account, key.Address, payer.Team, payer.Use, isRefresh, share, ticket);
        var options = jobsOptions.CurrentValue;
        // Compare the upstream's dates with the wall clock, because they are calendar dates.
        var now = clock.GetUtcNow();
        var isSame = isRefresh && known!.Identity.Body.Span.SequenceEqual(answer.Body);
        var firstSeen = isSame ? steady.ToWall(known!.FirstSeenAt) : now;
        var verdict = UpstreamVerdict.Of(answer, key.Address, options, now, firstSeen);
        metrics.Filled(verdict, clock.GetElapsedTime(started));
        if (verdict.IsJob)
        {
            foreach (var observer in _observers) observer.Offer(key.Address, answer.Body);
        }
        // This node may have been paused since the fetch began.
        if (clock.GetElapsedTime(started) > LongestFetch) return null;

        if (!verdict.IsJob && !verdict.IsAbsent)
        {
            var failure = FailedFill.Of(verdict, answer, options, isFirst: known is null) with { Order = asked };
            await memory.KeepAsync(key, failure);
            if (fetchLock is not null) await shared.ReleaseAsync(key, fetchLock, failure, budget);
            return Fail(failure, known);
        }
        var snapshot = JobSnapshot.From(
            answer.Body, verdict.Moved(steady.Lead), asked, steady.Now, steady.FromWall(firstSeen));
        var (current, isStored) = await cache.StoreAsync(key, snapshot, fetchLock, budget.For(snapshot.Size));
        // This node may have been paused while it stored the snapshot. Another node may have stored a newer one.
        if (clock.GetElapsedTime(started) > LongestFetch) return null;
        // A finished job stays stored after its lifetime. Extend its freshness, so that not every request costs a call.
        var isHeld = current is { Kind: VerdictKind.Finished } && current != snapshot && !current.IsFresh(steady.Now);
        if (isHeld) current.Hold(steady.Now + verdict.Lifetime);
        return current == snapshot
            ? new Lookup.Fetched(snapshot, verdict, answer.Status, answer.RetryAfter, known is not null, isStored)
            : new Lookup.Hit(current);
    }

    private async ValueTask<Lookup> FailAsync(JobKey key, FailedFill failure) =>
        Fail(failure, cache.FindInMemory(key) ?? await LookAfterFailureAsync(key));

    // One look serves all callers who wait. If Redis has nothing, look again only after the next failed fill.
    private async ValueTask<JobSnapshot?> LookAfterFailureAsync(JobKey key) =>
        memory.IsMissingInRedis(key) ? null : await _looks.Join(key, LookAsync, out _);

    private async Task<JobSnapshot?> LookAsync(JobKey key)
    {
        var found = (await cache.FindAsync(key, redis.NewTimeBudget())).Snapshot;
        // While Redis is away, it may have a snapshot that this node cannot read.
        if (found is null && redis.IsAvailable) memory.NoteMissingInRedis(key);
        return found;
    }

    private Lookup Fail(FailedFill failure, JobSnapshot? known)
    {
        var staleIfError = jobsOptions.CurrentValue.StaleIfError;
        return failure.Verdict.MayServeStale && known?.MayServeStale(staleIfError, steady.Now) == true
            ? new Lookup.Stale(known, failure) : new Lookup.Failed(failure, IsRefresh: known is not null);
    }

    /// <summary>The team whose turn the calls of a fill take, and the counter of the calls.</summary>
    private readonly record struct Payer(string Team, UseCounter? Use);

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Error, "A defect of the gateway ended the fetch of job {Job}")]
        public static partial void Defect(ILogger logger, JobAddress job, Exception defect);
    }
}

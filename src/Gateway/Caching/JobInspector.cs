using Gateway.Redis;
using Gateway.Runtime;
using StackExchange.Redis;

namespace Gateway.Caching;

/// <summary>
/// Looks at what this node and Redis hold about a job, for operators. It fetches nothing, and stores nothing.
/// </summary>
internal sealed class JobInspector(
    JobMemory memory, JobSource jobs, SharedJobs shared, RedisConnection redis, PurgeMarks purges, SteadyClock clock)
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(2);

    public async Task<JobInspection> InspectAsync(JobKey key) => new()
    {
        Key = key,
        Node = shared.Node,
        InMemory = memory.Find(key),
        Failure = memory.FindFailureWithEnd(key),
        IsFilling = jobs.IsFilling(key),
        Purges = purges.Of(key),
        RedisState = !redis.IsConfigured ? "not-configured" : redis.IsAvailable ? "available" : "away",
        Shared = redis.IsAvailable ? await ReadAsync(key) : null,
    };

    /// <returns>Null if Redis did not answer.</returns>
    private async Task<InspectedRedis?> ReadAsync(JobKey key)
    {
        RedisKey name = key.Name, final = SharedJobs.FinishedKey(name), held = SharedJobs.Lock(key);
        try
        {
            // A failure of this look must not mark Redis as unavailable.
            return await redis.AskAsync<InspectedRedis>(async database =>
            {
                var fields = ReadAsync(database.HashGetAsync(name, ["data", "order", "finished"]));
                var (liveLeft, finalLeft) = (database.KeyTimeToLiveAsync(name), database.KeyTimeToLiveAsync(final));
                var finished = ReadAsync(database.HashGetAsync(final, ["data"]));
                var (lockValue, lockLeft) = (ReadAsync(StringAsync(held)), database.KeyTimeToLiveAsync(held));
                var (live, isForeign) = await fields;
                var (value, isForeignFinal) = await finished;
                var found = (await lockValue).Value?[0];
                return new InspectedRedis(
                    Stored(key, value?[0], isForeignFinal, await finalLeft),
                    Stored(key, live?[0], isForeign, await liveLeft),
                    IsNotedFinished: live?[2] == "1",
                    found is { IsNullOrEmpty: false } text
                        ? FetchLock.Describe(text.ToString(), await lockLeft ?? TimeSpan.Zero) : null);

                async Task<RedisValue[]> StringAsync(RedisKey key) => [await database.StringGetAsync(key)];
            }, new TimeBudget(Timeout));
        }
        catch (Exception e) when (RedisConnection.IsFailure(e))
        {
            return null;
        }
    }

    private static async Task<(RedisValue[]? Value, bool IsForeign)> ReadAsync(Task<RedisValue[]> reading)
    {
        try
        {
            return (await reading, false);
        }
        catch (RedisServerException e) when (e.Message.StartsWith("WRONGTYPE", StringComparison.Ordinal))
        {
            return (null, true);
        }
    }

    private InspectedJob? Stored(JobKey key, RedisValue? data, bool isForeign, TimeSpan? left)
    {
        if (isForeign) return new InspectedJob(null, "wrong-type", left);
        if (data is not { IsNullOrEmpty: false } value) return null;
        var snapshot = SnapshotEnvelope.Read((byte[])value!, key.Name, out var reason);
        snapshot = snapshot?.Moved(clock.Lead).Corrected(clock.Now);
        return new InspectedJob(
            snapshot is null ? null : purges.SoftPurged(key, snapshot, clock), reason, left);
    }
}

/// <summary>What this node and Redis hold about a job.</summary>
internal sealed record JobInspection
{
    public required JobKey Key { get; init; }

    /// <summary>The name of this node in fetch locks.</summary>
    public required string Node { get; init; }

    public JobSnapshot? InMemory { get; init; }

    /// <summary>The failure of the last fill on this node, and the end of its back-off.</summary>
    public (FailedFill Failure, DateTimeOffset Until)? Failure { get; init; }

    /// <summary>Whether this node fills the job.</summary>
    public bool IsFilling { get; init; }

    /// <summary>The purges that cover the job.</summary>
    public required IReadOnlyList<(PurgeScope Scope, long Order)> Purges { get; init; }

    /// <summary><c>available</c>, <c>away</c> or <c>not-configured</c>.</summary>
    public required string RedisState { get; init; }

    /// <summary>Null if Redis is not available, or did not answer.</summary>
    public InspectedRedis? Shared { get; init; }

    /// <summary>Whether this node or Redis knows anything about the job.</summary>
    public bool IsKnown => InMemory is not null || Failure is not null || IsFilling
        || Shared is { Finished: not null } or { Live: not null } or { Lock: not null } or { IsNotedFinished: true };

    /// <summary>The snapshot in Redis that a request would use; null if there is none.</summary>
    public JobSnapshot? InRedis
    {
        get
        {
            var (finished, live) = (Usable(Shared?.Finished), Usable(Shared?.Live));
            return finished?.Outranks(live) == true ? finished : live;
        }
    }

    /// <summary>Predicts what the next request for the job does.</summary>
    public Prediction Predict(TimeSpan staleIfError, DateTimeOffset now)
    {
        if (InMemory?.IsFresh(now) == true) return new Prediction("hit", "memory", InMemory);
        if (IsFilling) return new Prediction("wait", Node);
        var known = InRedis?.Outranks(InMemory) == true ? InRedis : InMemory;
        if (Failure is { } failed && failed.Until > now) return After(failed.Failure);
        if (known?.IsFresh(now) == true) return new Prediction("hit", "redis", known);
        return Shared?.Lock switch
        {
            { Holder: { } holder } => new Prediction("wait", holder),
            { Failure: { BackOff.Ticks: > 0 } failure } theirs when Purges.All(purge => theirs.Order > purge.Order) =>
                After(failure),
            _ => new Prediction("fetch", "upstream"),
        };

        Prediction After(FailedFill failure) =>
            failure.Verdict.MayServeStale && known?.MayServeStale(staleIfError, now) == true
                ? new Prediction("stale", known == InMemory ? "memory" : "redis", known, failure)
                : new Prediction("failed", null, null, failure);
    }

    /// <summary>Whether a purge that removes jobs covers a snapshot.</summary>
    public bool IsPurged(long order) => Purges.Any(purge => !purge.Scope.IsSoft && order <= purge.Order);

    private JobSnapshot? Usable(InspectedJob? stored) =>
        stored?.Snapshot is { } snapshot && !IsPurged(snapshot.Order) ? snapshot : null;
}

/// <summary>What Redis holds about a job.</summary>
/// <param name="Finished">The entry of the distributed cache; null if there is none.</param>
/// <param name="Live">The snapshot of a job that is not finished; null if there is none.</param>
/// <param name="IsNotedFinished">Whether the hash notes that the job is finished.</param>
/// <param name="Lock">The fetch lock; null if there is none.</param>
internal sealed record InspectedRedis(
    InspectedJob? Finished, InspectedJob? Live, bool IsNotedFinished, InspectedLock? Lock);

/// <summary>A stored value.</summary>
/// <param name="Snapshot">Null if the value is not usable.</param>
/// <param name="Unusable">Why the value is not usable; empty if it is.</param>
/// <param name="Left">The rest of its lifetime in Redis.</param>
internal sealed record InspectedJob(JobSnapshot? Snapshot, string Unusable, TimeSpan? Left);

/// <summary>What the next request for a job does.</summary>
/// <param name="Outcome"><c>hit</c>, <c>stale</c>, <c>failed</c>, <c>wait</c> or <c>fetch</c>.</param>
/// <param name="From">Where the answer comes from: memory, redis, the node that fetches, or the upstream.</param>
/// <param name="Snapshot">The snapshot that answers; null if there is none.</param>
/// <param name="Failure">The failure that the request finds; null if there is none.</param>
internal sealed record Prediction(
    string Outcome, string? From, JobSnapshot? Snapshot = null, FailedFill? Failure = null);

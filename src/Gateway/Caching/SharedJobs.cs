using Gateway.Jobs;
using Gateway.Redis;
using Gateway.Runtime;
using Microsoft.Extensions.Caching.Distributed;
using StackExchange.Redis;

namespace Gateway.Caching;

/// <summary>
/// The jobs that all nodes share, in Redis. A finished job is an entry of the <see cref="IDistributedCache"/>, under a
/// key that nothing unfinished is ever written to. Any other answer is a hash. The hash also notes the order of the
/// answer, and whether the job is finished (1), absent upstream (2) or neither (0). With both, a script refuses an
/// answer that must not replace the stored one, no matter how late a node sends it. A third key holds the fetch lock.
/// </summary>
internal sealed class SharedJobs(
    RedisConnection redis, IDistributedCache finishedJobs, OrphanedLocks orphanedLocks, PurgeMarks purges,
    RedisMetrics metrics, SteadyClock clock)
{
    private const string LockSuffix = ":lock", FinishedSuffix = ":finished";

    private static readonly ReadOnlyMemory<byte> AnyPrefix = "*"u8.ToArray();

    private static readonly string Acquire = ScriptFile.Read("acquire-lock");

    private static readonly string Store = ScriptFile.Read("store-job");

    private static readonly string StoreFinished = ScriptFile.Read("store-finished");

    private static readonly string Release = ScriptFile.Read("release-lock");

    private readonly RedisValue _channel = redis.Prefix + JobChannel.Name;

    private long _fetches;

    /// <summary>The snapshot of a job in Redis, and the stored values that are not usable as one.</summary>
    public readonly record struct Found(JobSnapshot? Snapshot, Unusable Unusable = default);

    /// <summary>
    /// The prefixes of stored values that are not usable snapshots. The script that acquires the next fetch lock
    /// removes them. <c>*</c> means any value; empty means none.
    /// </summary>
    /// <param name="Live">The prefix of the value in the hash.</param>
    /// <param name="Finished">
    /// The prefix of the finished job's value; <c>*</c> also if the hash notes a finished job that does not exist.
    /// </param>
    public readonly record struct Unusable(ReadOnlyMemory<byte> Live, ReadOnlyMemory<byte> Finished)
    {
        public bool IsNone => Live.IsEmpty && Finished.IsEmpty;
    }

    /// <summary>The name of this node in fetch locks: its host and a random part.</summary>
    public string Node { get; } = $"{Environment.MachineName}-{Guid.NewGuid().ToString("N")[..12]}";

    public static RedisKey FinishedKey(RedisKey job) => job.Append(FinishedSuffix);

    public static RedisKey Lock(JobKey key) => key.Name + LockSuffix;

    public async ValueTask<Found> FindAsync(JobKey key, TimeBudget budget)
    {
        var reading = FindFinishedAsync(key, budget);
        var live = await FindLiveAsync(key, budget);
        var finished = await reading;
        var newest = finished.Snapshot is { } job && job.Outranks(live.Found.Snapshot) ? job : live.Found.Snapshot;
        var isMissing = live.IsFinished && finished.Snapshot is null && finished.Unusable.IsNone;
        return new Found(newest, new(live.Found.Unusable.Live, isMissing ? AnyPrefix : finished.Unusable.Finished));
    }

    private ValueTask<Found> FindFinishedAsync(JobKey key, TimeBudget budget) => ReadAsync(
        key, isFinished: true, FinishedKey(key.Name), budget,
        _ => finishedJobs.GetAsync(key.Name + FinishedSuffix));

    private async ValueTask<(Found Found, bool IsFinished)> FindLiveAsync(JobKey key, TimeBudget budget)
    {
        RedisKey name = key.Name;
        var isFinished = false;
        var found = await ReadAsync(key, isFinished: false, name, budget, async database =>
        {
            var fields = await database.HashGetAsync(name, ["data", "finished"]);
            isFinished = fields[0].IsNullOrEmpty && fields[1] == "1";
            return fields[0];
        });
        return (found, isFinished);
    }

    private async ValueTask<Found> ReadAsync(
        JobKey key, bool isFinished, RedisKey name, TimeBudget budget, Func<IDatabase, Task<byte[]?>> read)
    {
        if (!redis.IsAvailable) return default;
        var problem = "";
        var data = await redis.TryAsync(async database =>
        {
            try
            {
                // Send both commands at once. The size extends the time budget before a large value arrives.
                var size = database.HashStringLengthAsync(name, "data");
                var reading = read(database);
                budget.For(await size);
                return await reading;
            }
            catch (RedisServerException e) when (e.Message.StartsWith("WRONGTYPE", StringComparison.Ordinal))
            {
                problem = "wrong-type";
            }
            catch (Exception e) when (
                e is InvalidCastException or FormatException or OverflowException or ArgumentException)
            {
                // The hash was not written by the distributed cache.
                problem = "foreign";
            }
            return null;
        }, budget);
        if (problem.Length > 0) return Reject(isFinished, problem, AnyPrefix);
        return data is null ? default : Read(key, isFinished, data);
    }

    /// <summary>Finds a job in Redis. If there is none, tries to acquire the fetch lock in the same trip.</summary>
    /// <param name="awaited">The order of the fetch that the caller has waited for; 0 for none.</param>
    /// <param name="longest">How long the fetch may take.</param>
    /// <param name="above">
    /// The order of the snapshot in the caller's memory; 0 for none. The fetch gets a greater order, even if Redis's
    /// clock was set back.
    /// </param>
    public async ValueTask<(Found Found, FetchLock? Lock)> FindOrLockAsync(
        JobKey key, long awaited, TimeSpan longest, TimeBudget budget, long above = 0)
    {
        if (!redis.IsAvailable) return default;
        // If memory has a snapshot, the job was not finished when the node read that snapshot.
        var finished = above > 0 ? default : await FindFinishedAsync(key, budget);
        if (finished.Snapshot is not null) return (finished, null);
        var reply = await AskForLockAsync(
            key, known: RedisValue.EmptyString, awaited, finished.Unusable, longest, budget, above);
        return (string?)reply.Result?[0] switch
        {
            null => default,
            "job" => (Read(key, isFinished: false, (byte[])reply.Result[1]!), null),
            "elsewhere" => (await FindAsync(key, budget), null),
            _ => (default, FetchLock.Read(reply.Result, reply.Fetch)),
        };
    }

    /// <summary>Tries to acquire the fetch lock, which lets one node fetch a job for the whole cluster.</summary>
    /// <param name="known">
    /// The order of the snapshot that the caller knows. If Redis has a newer one, the lock is not acquired.
    /// </param>
    /// <param name="awaited">The order of the fetch that the caller has waited for; 0 for none.</param>
    /// <param name="longest">How long the fetch may take.</param>
    /// <param name="above">
    /// The order of the snapshot in the caller's memory, as in <see cref="FindOrLockAsync"/>.
    /// </param>
    /// <returns>Null if Redis did not answer. The caller then fetches without a lock.</returns>
    public async ValueTask<FetchLock?> LockAsync(
        JobKey key, long known, long awaited, Unusable unusable, TimeSpan longest, TimeBudget budget, long above = 0)
    {
        if (!redis.IsAvailable) return null;
        var reply = await AskForLockAsync(key, known, awaited, unusable, longest, budget, above);
        return reply.Result is null ? null : FetchLock.Read(reply.Result, reply.Fetch);
    }

    /// <summary>Stores a snapshot if nothing outranks it, and releases the fetch lock.</summary>
    /// <returns>Whether the snapshot is stored; null if Redis did not answer.</returns>
    public async ValueTask<bool?> StoreAsync(
        JobKey key, JobSnapshot snapshot, TimeSpan retention, FetchLock.Acquired? fetchLock, TimeBudget budget)
    {
        var isFinished = snapshot.Kind == VerdictKind.Finished;
        var kind = isFinished ? 1 : snapshot.IsAbsent ? 2 : 0;
        var data = SnapshotEnvelope.Write(snapshot.Moved(-clock.Lead), key.Name);
        if (retention < FetchLock.HandOver) retention = FetchLock.HandOver;
        var held = fetchLock?.Lock ?? "";
        var reply = await RunAsync(Store,
            held, snapshot.Order, kind, isFinished ? RedisValue.EmptyString : data, (long)retention.TotalMilliseconds,
            purges.LatestOf(key), _channel, key.Name);
        if (isFinished && reply is not null && (int)reply == 1)
        {
            var isWritten = await WriteFinishedAsync(key, data, retention, budget);
            reply = await RunAsync(StoreFinished, held, snapshot.Order, isWritten ? 1 : 0, _channel, key.Name);
        }
        if (reply is null && fetchLock is not null) orphanedLocks.Add(Lock(key), fetchLock.Lock);
        return reply is null ? null : (int)reply == 1;

        ValueTask<RedisResult?> RunAsync(string script, params RedisValue[] arguments) => redis.TryAsync<RedisResult>(
            database => database.ScriptEvaluateAsync(script, Keys(key), arguments)!, budget);
    }

    private async ValueTask<bool> WriteFinishedAsync(JobKey key, byte[] data, TimeSpan retention, TimeBudget budget) =>
        await redis.TryAsync<byte[]>(async _ =>
        {
            var name = key.Name + FinishedSuffix;
            await finishedJobs.SetAsync(name, data, new() { AbsoluteExpirationRelativeToNow = retention });
            return data;
        }, budget) is not null;

    /// <summary>Releases the lock of a fetch that brought no job, and leaves the failure for other nodes.</summary>
    public async ValueTask ReleaseAsync(JobKey key, FetchLock.Acquired fetchLock, FailedFill failure, TimeBudget budget)
    {
        var (value, lifetime) = FetchLock.Failed(fetchLock.Order, failure);
        var reply = await redis.TryAsync<RedisResult>(
            database => database.ScriptEvaluateAsync(
                Release, [Lock(key)],
                [fetchLock.Lock, value, (long)lifetime.TotalMilliseconds, _channel, key.Name])!,
            budget);
        if (reply is null) orphanedLocks.Add(Lock(key), fetchLock.Lock);
    }

    private async ValueTask<(RedisResult? Result, string Fetch)> AskForLockAsync(
        JobKey key, RedisValue known, long awaited, Unusable unusable, TimeSpan longest, TimeBudget budget, long above)
    {
        var fetch = $"{Node}-{Interlocked.Increment(ref _fetches)}";
        var lease = longest < HeldLocks.Lease ? longest : HeldLocks.Lease;
        var result = await AskAsync(overdue: RedisValue.EmptyString);
        // If Redis's clock was set back, the lock lasts longer by that time, and its owner may have died.
        if (result is not null && (string?)result[0] == "held" && FetchLock.IsOverdue(result, longest))
        {
            result = await AskAsync(overdue: (RedisValue)result[1]);
        }
        // After a lost reply, Redis may have set the lock. After a refusal, Redis stays available and has set no lock.
        if (result is null && !redis.IsAvailable) orphanedLocks.Add(Lock(key), FetchLock.Owner(fetch));
        return (result, fetch);

        ValueTask<RedisResult?> AskAsync(RedisValue overdue) => redis.TryAsync<RedisResult>(
            database => database.ScriptEvaluateAsync(Acquire, Keys(key),
            [
                fetch, (long)lease.TotalMilliseconds, known, purges.LatestOf(key), unusable.Live, awaited, above,
                overdue, unusable.Finished, purges.LatestSoftOf(key),
            ])!,
            budget);
    }

    private Found Read(JobKey key, bool isFinished, byte[] data)
    {
        var prefix = data.AsMemory(0, Math.Min(data.Length, 64));
        if (SnapshotEnvelope.Read(data, key.Name, out var reason) is not { } snapshot)
        {
            // Keep a value of another version: nodes of that version can read it.
            return Reject(isFinished, reason, reason == "version" ? default : prefix);
        }
        if (isFinished && snapshot.Kind != VerdictKind.Finished) return Reject(isFinished, "foreign", prefix);
        if (snapshot.Order > purges.LatestOf(key))
        {
            return new(purges.SoftPurged(key, snapshot.Moved(clock.Lead).Corrected(clock.Now), clock));
        }
        return new(null, isFinished ? new(default, prefix) : default);
    }

    private static RedisKey[] Keys(JobKey key)
    {
        RedisKey name = key.Name;
        return [name, Lock(key), FinishedKey(name)];
    }

    private Found Reject(bool isFinished, string reason, ReadOnlyMemory<byte> prefix)
    {
        metrics.Rejected(reason);
        return new(null, isFinished ? new(default, prefix) : new(prefix, default));
    }
}

using System.Globalization;
using System.Text.Json;
using Gateway.Jobs;
using Gateway.Redis;
using Gateway.Runtime;
using Microsoft.Extensions.Caching.Distributed;
using StackExchange.Redis;

namespace Gateway.Caching;

/// <summary>The reply to a node that wants to fetch a job for the whole cluster.</summary>
internal abstract record FetchLock
{
    /// <summary>This node holds the lock until its lease ends.</summary>
    public sealed record Acquired(long Order, string Lock) : FetchLock;

    /// <summary>Another fetch is under way; <paramref name="Order"/> is its order.</summary>
    public sealed record HeldElsewhere(long Order, TimeSpan Left) : FetchLock;

    /// <summary>The last fetch failed, and the next may begin after its back-off.</summary>
    public sealed record FailedBefore(FailedFill Failure) : FetchLock;

    /// <summary>A newer snapshot than the caller knows was stored meanwhile.</summary>
    public sealed record NewerStored : FetchLock;
}

/// <summary>
/// The jobs that all nodes share, in Redis. A finished job is an entry of the <see cref="IDistributedCache"/>, under a
/// key that nothing unfinished is ever written to. Any other answer is a hash. The hash also notes the order of the
/// answer, and whether the job is finished (1), absent upstream (2) or neither (0); by these, a script refuses an
/// answer that must not replace the stored one, however late a node sends it. Beside them is the fetch lock.
/// </summary>
internal sealed class SharedJobs(
    RedisConnection redis, IDistributedCache finishedJobs, OrphanedLocks left, PurgeMarks purges, RedisMetrics metrics,
    SteadyClock clock)
{
    private const string LockSuffix = ":lock", FinishedSuffix = ":finished", Owned = "o:", FailedBefore = "f:", Refused = "r:";

    private static readonly ReadOnlyMemory<byte> Anything = "*"u8.ToArray();

    // Long enough for waiting nodes to fetch what they waited for, also where it may not live at all.
    private static readonly TimeSpan HandOver = TimeSpan.FromSeconds(1);

    // By how much a lock may seem to last longer than it was set for.
    private static readonly TimeSpan Rounding = TimeSpan.FromSeconds(1);

    private static readonly string Acquire = ScriptFile.Read("acquire-lock");

    private static readonly string Store = ScriptFile.Read("store-job");

    private static readonly string StoreFinished = ScriptFile.Read("store-finished");

    private static readonly string Release = ScriptFile.Read("release-lock");

    private readonly string _node = Guid.NewGuid().ToString("N");
    private long _fetches;

    /// <summary>What Redis has of a job, and what it has instead that is none.</summary>
    public readonly record struct Found(JobSnapshot? Snapshot, Unusable Unusable = default);

    /// <summary>
    /// How stored values begin that are not snapshots, which the next fetch lock is to clear away; <c>*</c>: any;
    /// empty: there is none.
    /// </summary>
    /// <param name="Live">Of the hash.</param>
    /// <param name="Finished">Of the finished job. The hash may say that there is one when there is not.</param>
    public readonly record struct Unusable(ReadOnlyMemory<byte> Live, ReadOnlyMemory<byte> Finished)
    {
        public bool IsNone => Live.IsEmpty && Finished.IsEmpty;
    }

    public static RedisKey FinishedKey(RedisKey job) => job.Append(FinishedSuffix);

    public async ValueTask<Found> FindAsync(JobKey key, TimeBudget budget)
    {
        var reading = FindFinishedAsync(key, budget);
        var live = await FindLiveAsync(key, budget);
        var finished = await reading;
        var newest = finished.Snapshot is { } job && job.Outranks(live.Found.Snapshot) ? job : live.Found.Snapshot;
        var isMissing = live.IsFinished && finished.Snapshot is null && finished.Unusable.IsNone;
        return new Found(newest, new(live.Found.Unusable.Live, isMissing ? Anything : finished.Unusable.Finished));
    }

    private ValueTask<Found> FindFinishedAsync(JobKey key, TimeBudget budget) => ReadAsync(
        key, isFinished: true, FinishedKey(RedisConnection.Prefix + key.Name), budget,
        _ => finishedJobs.GetAsync(key.Name + FinishedSuffix));

    private async ValueTask<(Found Found, bool IsFinished)> FindLiveAsync(JobKey key, TimeBudget budget)
    {
        RedisKey name = RedisConnection.Prefix + key.Name;
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
                // Asked first: a large value may take its time.
                var size = database.HashStringLengthAsync(name, "data");
                var reading = read(database);
                budget.For(await size);
                return await reading;
            }
            catch (RedisServerException e) when (e.Message.StartsWith("WRONGTYPE", StringComparison.Ordinal))
            {
                problem = "wrong-type";
            }
            catch (Exception e) when (e is InvalidCastException or FormatException or OverflowException or ArgumentException)
            {
                // A hash, but not one that the cache wrote.
                problem = "foreign";
            }
            return null;
        }, budget);
        if (problem.Length > 0) return Reject(isFinished, problem, Anything);
        return data is null ? default : Read(key, isFinished, data);
    }

    /// <summary>What Redis has of a job; where it has nothing, asks to fetch it, in the same trip.</summary>
    /// <param name="awaited">The order of the fetch that the caller has waited for; 0: none.</param>
    /// <param name="lease">When the fetch lock expires.</param>
    /// <param name="above">
    /// The order of the snapshot in the caller's memory; 0: there is none. The fetch gets a greater one, also if
    /// Redis's clock was set back.
    /// </param>
    public async ValueTask<(Found Found, FetchLock? Lock)> FindOrLockAsync(
        JobKey key, long awaited, TimeSpan lease, TimeBudget budget, long above = 0)
    {
        if (!redis.IsAvailable) return default;
        // A job that memory has was not finished when it was read.
        var finished = above > 0 ? default : await FindFinishedAsync(key, budget);
        if (finished.Snapshot is not null) return (finished, null);
        var reply = await AskForLockAsync(
            key, known: RedisValue.EmptyString, awaited, finished.Unusable, lease, budget, above);
        return (string?)reply.Result?[0] switch
        {
            null => default,
            "job" => (Read(key, isFinished: false, (byte[])reply.Result[1]!), null),
            "elsewhere" => (await FindAsync(key, budget), null),
            _ => (default, LockOf(reply)),
        };
    }

    /// <summary>Asks to fetch a job for the whole cluster.</summary>
    /// <param name="known">The order of the snapshot that the caller knows of, so that nothing newer is missed.</param>
    /// <param name="awaited">The order of the fetch that the caller has waited for; 0: none.</param>
    /// <param name="lease">When the fetch lock expires.</param>
    /// <param name="above">The order of what the caller has in memory, as in <see cref="FindOrLockAsync"/>.</param>
    /// <returns>Null: Redis is no help; the caller is on its own.</returns>
    public async ValueTask<FetchLock?> LockAsync(
        JobKey key, long known, long awaited, Unusable unusable, TimeSpan lease, TimeBudget budget, long above = 0)
    {
        if (!redis.IsAvailable) return null;
        var reply = await AskForLockAsync(key, known, awaited, unusable, lease, budget, above);
        return reply.Result is null ? null : LockOf(reply);
    }

    /// <summary>Stores a snapshot if nothing outranks it, and releases the fetch lock.</summary>
    /// <returns>Null: there is no telling.</returns>
    public async ValueTask<bool?> StoreAsync(
        JobKey key, JobSnapshot snapshot, TimeSpan retention, FetchLock.Acquired? fetchLock, TimeBudget budget)
    {
        var isFinished = snapshot.Kind == VerdictKind.Finished;
        var kind = isFinished ? 1 : snapshot.IsAbsent ? 2 : 0;
        var data = SnapshotEnvelope.Write(snapshot.Moved(-clock.Lead), key.Name);
        if (retention < HandOver) retention = HandOver;
        var held = fetchLock?.Lock ?? "";
        var reply = await RunAsync(Store,
            held, snapshot.Order, kind, isFinished ? RedisValue.EmptyString : data, (long)retention.TotalMilliseconds,
            purges.LatestOf(key), JobChannel.Name, key.Name);
        if (isFinished && reply is not null && (int)reply == 1)
        {
            var isWritten = await WriteFinishedAsync(key, data, retention, budget);
            reply = await RunAsync(StoreFinished, held, snapshot.Order, isWritten ? 1 : 0, JobChannel.Name, key.Name);
        }
        if (reply is null && fetchLock is not null) left.Add(Lock(key), fetchLock.Lock);
        return reply is null ? null : (int)reply == 1;

        async ValueTask<RedisResult?> RunAsync(string script, params RedisValue[] arguments) => !redis.IsAvailable ? null
            : await redis.TryAsync<RedisResult>(database => database.ScriptEvaluateAsync(script, Keys(key), arguments)!, budget);
    }

    private async ValueTask<bool> WriteFinishedAsync(JobKey key, byte[] data, TimeSpan retention, TimeBudget budget) =>
        await redis.TryAsync<byte[]>(async _ =>
        {
            var name = key.Name + FinishedSuffix;
            await finishedJobs.SetAsync(name, data, new() { AbsoluteExpirationRelativeToNow = retention });
            return data;
        }, budget) is not null;

    /// <summary>Releases the fetch lock of a fetch that brought no job, and tells the other nodes why.</summary>
    public async ValueTask ReleaseAsync(JobKey key, FetchLock.Acquired fetchLock, FailedFill failure, TimeBudget budget)
    {
        var backsOff = failure.BackOff > TimeSpan.Zero;
        var word = $"{(backsOff ? FailedBefore : Refused)}{fetchLock.Order}:{JsonSerializer.Serialize(failure)}";
        var reply = await redis.TryAsync<RedisResult>(database => database.ScriptEvaluateAsync(Release, [Lock(key)],
            [fetchLock.Lock, word, (long)(backsOff ? failure.BackOff : HandOver).TotalMilliseconds, JobChannel.Name, key.Name])!, budget);
        if (reply is null) left.Add(Lock(key), fetchLock.Lock);
    }

    private async ValueTask<(RedisResult? Result, string Fetch)> AskForLockAsync(
        JobKey key, RedisValue known, long awaited, Unusable unusable, TimeSpan lease, TimeBudget budget, long above)
    {
        var fetch = $"{_node}-{Interlocked.Increment(ref _fetches)}";
        var result = await AskAsync(overdue: RedisValue.EmptyString);
        // If Redis's clock was set back, it keeps the lock for so much longer, and the owner may be gone.
        if (result is not null && (string?)result[0] == "held" && IsOverdue(result, lease))
        {
            result = await AskAsync(overdue: (RedisValue)result[1]);
        }
        // Redis may have heard of it all the same, unless it refused.
        if (result is null && !redis.IsAvailable) left.Add(Lock(key), $"{Owned}{fetch}:");
        return (result, fetch);

        ValueTask<RedisResult?> AskAsync(RedisValue overdue) => redis.TryAsync<RedisResult>(
            database => database.ScriptEvaluateAsync(Acquire, Keys(key),
                [fetch, (long)lease.TotalMilliseconds, known, purges.LatestOf(key), unusable.Live, awaited, above, overdue,
                    unusable.Finished])!,
            budget);
    }

    /// <summary>Whether a lock lasts longer than a node sets one for.</summary>
    private static bool IsOverdue(RedisResult reply, TimeSpan lease)
    {
        var (held, left) = ((string)reply[1]!, TimeSpan.FromMilliseconds((long)reply[2]));
        if (held.StartsWith(Owned, StringComparison.Ordinal)) return left > lease + Rounding;
        var given = held.StartsWith(FailedBefore, StringComparison.Ordinal) ? Parse(held)?.BackOff : HandOver;
        return left > given + Rounding;
    }

    private static FetchLock LockOf((RedisResult? Result, string Fetch) reply)
    {
        var result = reply.Result!;
        switch ((string?)result[0])
        {
            case "mine":
                return new FetchLock.Acquired(Number((string)result[1]!), $"{Owned}{reply.Fetch}:{(string)result[1]!}");
            case "look":
                return new FetchLock.NewerStored();
        }
        var held = (string)result[1]!;
        var lasts = TimeSpan.FromMilliseconds(Math.Max(0, (long)result[2]) + 1);
        if (held.StartsWith(Owned, StringComparison.Ordinal)) return new FetchLock.HeldElsewhere(Number(held[(held.LastIndexOf(':') + 1)..]), lasts);
        return Failure(held, lasts) is { } failure ? new FetchLock.FailedBefore(failure) : new FetchLock.HeldElsewhere(long.MaxValue, lasts);
    }

    private Found Read(JobKey key, bool isFinished, byte[] data)
    {
        var beginning = data.AsMemory(0, Math.Min(data.Length, 64));
        if (SnapshotEnvelope.Read(data, key.Name, out var reason) is not { } snapshot)
        {
            // A newer version's value is right for newer nodes.
            return Reject(isFinished, reason, reason == "version" ? default : beginning);
        }
        if (isFinished && snapshot.Kind != VerdictKind.Finished) return Reject(isFinished, "foreign", beginning);
        if (snapshot.Order > purges.LatestOf(key)) return new(snapshot.Moved(clock.Lead).Corrected(clock.Now));
        return new(null, isFinished ? new(default, beginning) : default);
    }

    private static RedisKey[] Keys(JobKey key) => [RedisConnection.Prefix + key.Name, Lock(key), FinishedKey(RedisConnection.Prefix + key.Name)];

    private static RedisKey Lock(JobKey key) => RedisConnection.Prefix + key.Name + LockSuffix;

    private static long Number(string digits) =>
        long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : long.MaxValue;

    private static FailedFill? Failure(string held, TimeSpan left)
    {
        var isBackOff = held.StartsWith(FailedBefore, StringComparison.Ordinal);
        return Parse(held) is { } failure
            ? isBackOff ? failure.Later(left) with { BackOff = left } : failure with { BackOff = TimeSpan.Zero } : null;
    }

    private static FailedFill? Parse(string held)
    {
        var json = held.IndexOf(':', FailedBefore.Length) + 1;
        try
        {
            return JsonSerializer.Deserialize<FailedFill>(held.AsSpan(json));
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private Found Reject(bool isFinished, string reason, ReadOnlyMemory<byte> beginning)
    {
        metrics.Rejected(reason);
        return new(null, isFinished ? new(default, beginning) : new(beginning, default));
    }
}

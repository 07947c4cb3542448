using System.Globalization;
using System.Text.Json;
using Gateway.Jobs;
using Gateway.Redis;
using Gateway.Runtime;
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
/// The jobs that all nodes share, in Redis. A job is a hash, in the layout of Microsoft's Redis cache and read by it,
/// with two fields more: its order and whether it is finished (1), gone (2) or neither (0). By these Redis itself
/// refuses what must not replace it, however late it comes and whoever sends it. Beside it is the lock of the one who
/// fetches.
/// </summary>
internal sealed class SharedJobs(
    RedisConnection redis, OrphanedLocks left, PurgeMarks purges, RedisMetrics metrics, SteadyClock clock)
{
    private const string LockSuffix = ":lock", Owned = "o:", FailedBefore = "f:", Refused = "r:";

    private static readonly ReadOnlyMemory<byte> Anything = "*"u8.ToArray();

    // Long enough for waiting nodes to fetch what they waited for, also where it may not live at all.
    private static readonly TimeSpan HandOver = TimeSpan.FromSeconds(1);

    // By how much a lock may seem to last longer than it was set for.
    private static readonly TimeSpan Rounding = TimeSpan.FromSeconds(1);

    private static readonly string Acquire = ScriptFile.Read("acquire-lock");

    private static readonly string Store = ScriptFile.Read("store-job");

    private static readonly string Release = ScriptFile.Read("release-lock");

    private readonly string _node = Guid.NewGuid().ToString("N");
    private long _fetches;

    /// <summary>What Redis has of a job, and what it has instead that is none.</summary>
    /// <param name="Rejected">
    /// How an unusable value begins, which the next fetch lock is to clear away; <c>*</c>: any; empty: there is none.
    /// </param>
    public readonly record struct Found(JobSnapshot? Snapshot, ReadOnlyMemory<byte> Rejected = default);

    public async ValueTask<Found> FindAsync(JobKey key, TimeBudget budget)
    {
        if (redis.Cache is not { } cache || !redis.IsAvailable) return default;
        var unreadable = "";
        var data = await redis.TryAsync(async database =>
        {
            try
            {
                // Asked at once, and answered first: what is large may take its time.
                var size = database.HashStringLengthAsync(RedisConnection.Prefix + key.Name, "data");
                var reading = cache.GetAsync(key.Name);
                budget.For(await size);
                return await reading;
            }
            catch (RedisServerException e) when (e.Message.StartsWith("WRONGTYPE", StringComparison.Ordinal))
            {
                unreadable = "wrong-type";
            }
            catch (Exception e) when (e is InvalidCastException or FormatException or OverflowException or ArgumentException)
            {
                // A hash, but not of the cache's layout.
                unreadable = "foreign";
            }
            return null;
        }, budget);
        if (unreadable.Length > 0) return Reject(unreadable, Anything);
        if (data is null) return default;
        return Read(key, data);
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
        var reply = await AskForLockAsync(key, known: RedisValue.EmptyString, awaited, rejected: default, lease, budget, above);
        return (string?)reply.Result?[0] switch
        {
            null => default,
            "job" => (Read(key, (byte[])reply.Result[1]!), null),
            "large" => (await FindAsync(key, budget), null),
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
        JobKey key, long known, long awaited, ReadOnlyMemory<byte> rejected, TimeSpan lease, TimeBudget budget, long above = 0)
    {
        if (!redis.IsAvailable) return null;
        var reply = await AskForLockAsync(key, known, awaited, rejected, lease, budget, above);
        return reply.Result is null ? null : LockOf(reply);
    }

    /// <summary>Stores a snapshot if nothing outranks it, and releases the fetch lock.</summary>
    /// <returns>Null: there is no telling.</returns>
    public async ValueTask<bool?> StoreAsync(JobKey key, JobSnapshot snapshot, TimeSpan retention, FetchLock.Acquired? fetchLock, TimeBudget budget)
    {
        var finished = snapshot.Kind == VerdictKind.Finished ? 1 : snapshot.IsAbsent ? 2 : 0;
        var reply = !redis.IsAvailable ? null : await redis.TryAsync<RedisResult>(database => database.ScriptEvaluateAsync(Store, Keys(key),
            [fetchLock?.Lock ?? "", snapshot.Order, finished, SnapshotEnvelope.Write(snapshot.Moved(-clock.Lead), key.Name),
                (long)(retention > HandOver ? retention : HandOver).TotalMilliseconds, purges.LatestOf(key), JobChannel.Name, key.Name])!, budget);
        if (reply is null && fetchLock is not null) left.Add(Lock(key), fetchLock.Lock);
        return reply is null ? null : (int)reply == 1;
    }

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
        JobKey key, RedisValue known, long awaited, ReadOnlyMemory<byte> rejected, TimeSpan lease, TimeBudget budget, long above)
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
                [fetch, (long)lease.TotalMilliseconds, known, purges.LatestOf(key), rejected, awaited, above, overdue])!,
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

    private Found Read(JobKey key, byte[] data)
    {
        if (SnapshotEnvelope.Read(data, key.Name, out var reason) is { } snapshot)
        {
            return new Found(snapshot.Order > purges.LatestOf(key) ? snapshot.Moved(clock.Lead).Corrected(clock.Now) : null);
        }
        // A newer version's value is right for newer nodes.
        return Reject(reason, reason == "version" || data.Length == 0 ? default : data.AsMemory(0, Math.Min(data.Length, 64)));
    }

    private static RedisKey[] Keys(JobKey key) => [RedisConnection.Prefix + key.Name, Lock(key)];

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

    private Found Reject(string reason, ReadOnlyMemory<byte> rejected)
    {
        metrics.Rejected(reason);
        return new Found(null, rejected);
    }
}

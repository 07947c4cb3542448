using System.Globalization;
using System.Text.Json;
using Gateway.Jobs;
using Gateway.Operations;
using StackExchange.Redis;

namespace Gateway.Redis;

/// <summary>Who is to fetch a job.</summary>
internal abstract record Turn
{
    /// <summary>This node, for the whole cluster, until its lease ends.</summary>
    public sealed record Mine(long Order, string Lock) : Turn;

    /// <summary>Another node is at it; <paramref name="Order"/> is its fetch's.</summary>
    public sealed record Theirs(long Order, TimeSpan Left) : Turn;

    /// <summary>Nobody yet: the last fill failed, and the next may begin after its back-off.</summary>
    public sealed record Failed(FailedFill Failure) : Turn;

    /// <summary>Something newer than the caller knows was stored meanwhile.</summary>
    public sealed record LookAgain : Turn;
}

/// <summary>
/// The jobs that all nodes share, in Redis. A job is a hash, in the layout of Microsoft's Redis cache and read by it, with
/// two fields more: its order and whether it is finished (1), gone (2) or neither (0). By these Redis itself refuses
/// what must not replace it, however late it comes and whoever sends it. Beside it is the lock of the one who fetches.
/// </summary>
internal sealed class SharedJobs(
    RedisConnection redis, LeftTurns left, PurgeMarks purges, GatewayMetrics metrics, SteadyClock clock)
{
    private const string LockSuffix = ":lock", Owned = "o:", FailedBefore = "f:", Refused = "r:";

    private static readonly ReadOnlyMemory<byte> Anything = "*"u8.ToArray();

    // Long enough for waiting nodes to fetch what they waited for, also where it may not live at all.
    private static readonly TimeSpan HandOver = TimeSpan.FromSeconds(1);

    // By how much a lock may seem to last longer than it was set for.
    private static readonly TimeSpan Rounding = TimeSpan.FromSeconds(1);

    // Whoever does not know yet what there is, has it told, unless it is large: the time for that is asked for first.
    //
    // The lock holds "o:owner:order" while a fetch is under way; after one that brought no job "f:order:failure" during the
    // back-off, unless it is purged, or "r:order:failure", which is only for those who waited for that very fetch. Nobody is
    // to wait for an owner where nothing can be written, for the owner cannot hand over: appending nothing finds that out.
    private const string TakeTurn = """
        if ARGV[5] ~= '' then
          local data = redis.pcall('HGET', KEYS[1], 'data')
          local foreign = type(data) ~= 'string' or string.sub(data, 1, 3) ~= 'GWJ' or redis.call('HGET', KEYS[1], 'absexp') ~= '-1'
          if foreign or string.sub(data, 1, string.len(ARGV[5])) == ARGV[5] then redis.call('DEL', KEYS[1]) end
        end
        local order = 0
        local size = redis.pcall('HSTRLEN', KEYS[1], 'data')
        if ARGV[3] == '' then
          if type(size) ~= 'number' or size > 262144 then return {'large'} end
          if size > 0 then return {'job', redis.call('HGET', KEYS[1], 'data')} end
        elseif type(size) == 'number' and size > 0 then
          order = tonumber(redis.call('HGET', KEYS[1], 'order') or 0) or 0
        end
        local purged = tonumber(ARGV[4])
        if order > (tonumber(ARGV[3]) or 0) and order > purged then return {'look'} end
        local held = redis.pcall('GET', KEYS[2])
        local left = redis.call('PTTL', KEYS[2])
        if held and (type(held) == 'table' or left < 0 or held == ARGV[8] or not string.find(held, '^[ofr]:')) then
          redis.call('DEL', KEYS[2])
        elseif held then
          local kind, about = string.match(held, '^([fr]):(%d+):')
          if not kind then redis.call('APPEND', KEYS[2], '') end
          if not kind or kind == 'f' and tonumber(about) > purged or kind == 'r' and about == ARGV[6] then
            return {'held', held, left}
          end
        end
        local time = redis.call('TIME')
        local mine = time[1] * 1000000 + time[2]
        if mine <= order then mine = order + 1 end
        if mine <= purged then mine = purged + 1 end
        if mine <= tonumber(ARGV[7]) then mine = tonumber(ARGV[7]) + 1 end
        mine = string.format('%.0f', mine)
        redis.call('SET', KEYS[2], 'o:' .. ARGV[1] .. ':' .. mine, 'PX', ARGV[2])
        return {'mine', mine}
        """;

    // The same rule as JobSnapshot.Outranks, where it cannot be broken. What is purged is not stored at all. What stores
    // comes before what deletes: after a first write Redis lets a script go on past the end of its memory.
    //
    // All nodes are told of a job that is gone: they may have it in memory, finished.
    private const string Store = """
        local order, finished, refusal = 0, false, nil
        local size = redis.pcall('HSTRLEN', KEYS[1], 'data')
        if type(size) == 'number' and size > 0 then
          order = tonumber(redis.call('HGET', KEYS[1], 'order') or 0) or 0
          finished = redis.call('HGET', KEYS[1], 'finished')
        end
        if order <= tonumber(ARGV[6]) then order, finished = 0, false end
        local wins = tonumber(ARGV[2]) > order
        if finished ~= '2' and ARGV[3] ~= '2' and (finished == '1') ~= (ARGV[3] == '1') then wins = finished ~= '1' end
        if tonumber(ARGV[2]) <= tonumber(ARGV[6]) then wins = false end
        if wins then
          if type(size) ~= 'number' then redis.call('DEL', KEYS[1]) end
          local stored = redis.pcall('HSET', KEYS[1], 'data', ARGV[4], 'order', ARGV[2], 'finished', ARGV[3], 'absexp', '-1', 'sldexp', '-1')
          if type(stored) == 'table' then refusal = stored else redis.call('PEXPIRE', KEYS[1], ARGV[5]) end
        end
        if redis.pcall('GET', KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end
        if wins and ARGV[3] == '2' then redis.pcall('PUBLISH', ARGV[7], 'gone ' .. ARGV[2] .. ' ' .. ARGV[8]) end
        if ARGV[1] ~= '' then redis.pcall('PUBLISH', ARGV[7], ARGV[8]) end
        return refusal or (wins and 1 or 0)
        """;

    private const string Release = """
        local held = redis.pcall('GET', KEYS[1])
        if held and held ~= ARGV[1] then return 0 end
        redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
        redis.pcall('PUBLISH', ARGV[4], ARGV[5])
        return 1
        """;

    private readonly string _node = Guid.NewGuid().ToString("N");
    private long _fetches;

    /// <summary>What Redis has of a job, and what it has instead that is none.</summary>
    /// <param name="Rejected">What the next turn is to clear away: what begins so, or <c>*</c>, or nothing.</param>
    public readonly record struct Found(JobSnapshot? Snapshot, ReadOnlyMemory<byte> Rejected = default);

    public async ValueTask<Found> FindAsync(JobKey key, Patience patience)
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
                patience.For(await size);
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
        }, patience);
        if (unreadable.Length > 0) return Reject(unreadable, Anything);
        if (data is null) return default;
        return Read(key, data);
    }

    /// <summary>What Redis has of a job; where it has nothing, asks to fetch it, in the same trip.</summary>
    /// <param name="awaited">The order of the fetch that the caller has waited for; 0: none.</param>
    /// <param name="lease">After this the turn is anybody's again.</param>
    /// <param name="above">
    /// The order of the snapshot in the caller's memory; 0: there is none. The fetch gets a greater one, also if Redis's clock
    /// was set back.
    /// </param>
    public async ValueTask<(Found Found, Turn? Turn)> FindOrTakeTurnAsync(
        JobKey key, long awaited, TimeSpan lease, Patience patience, long above = 0)
    {
        if (!redis.IsAvailable) return default;
        var reply = await AskForTurnAsync(key, known: RedisValue.EmptyString, awaited, rejected: default, lease, patience, above);
        return (string?)reply.Result?[0] switch
        {
            null => default,
            "job" => (Read(key, (byte[])reply.Result[1]!), null),
            "large" => (await FindAsync(key, patience), null),
            _ => (default, TurnOf(reply)),
        };
    }

    /// <summary>Asks to fetch a job for the whole cluster.</summary>
    /// <param name="known">The order of the snapshot that the caller knows of, so that nothing newer is missed.</param>
    /// <param name="awaited">The order of the fetch that the caller has waited for; 0: none.</param>
    /// <param name="lease">After this the turn is anybody's again.</param>
    /// <param name="above">The order of what the caller has in memory, as in <see cref="FindOrTakeTurnAsync"/>.</param>
    /// <returns>Null: Redis is no help; the caller is on its own.</returns>
    public async ValueTask<Turn?> TakeTurnAsync(
        JobKey key, long known, long awaited, ReadOnlyMemory<byte> rejected, TimeSpan lease, Patience patience, long above = 0)
    {
        if (!redis.IsAvailable) return null;
        var reply = await AskForTurnAsync(key, known, awaited, rejected, lease, patience, above);
        return reply.Result is null ? null : TurnOf(reply);
    }

    /// <summary>Stores a snapshot, if nothing outranks it, and ends the turn.</summary>
    /// <returns>Null: there is no telling.</returns>
    public async ValueTask<bool?> StoreAsync(JobKey key, JobSnapshot snapshot, TimeSpan retention, Turn.Mine? turn, Patience patience)
    {
        var finished = snapshot.Kind == VerdictKind.Finished ? 1 : snapshot.IsAbsent ? 2 : 0;
        var reply = !redis.IsAvailable ? null : await redis.TryAsync<RedisResult>(database => database.ScriptEvaluateAsync(Store, Keys(key),
            [turn?.Lock ?? "", snapshot.Order, finished, SnapshotEnvelope.Write(snapshot.Moved(-clock.Lead), key.Name),
                (long)(retention > HandOver ? retention : HandOver).TotalMilliseconds, purges.LatestOf(key), JobChannel.Name, key.Name])!, patience);
        if (reply is null && turn is not null) left.Add(Lock(key), turn.Lock);
        return reply is null ? null : (int)reply == 1;
    }

    /// <summary>Ends a turn that brought no job, and leaves word of why for the other nodes.</summary>
    public async ValueTask ReleaseAsync(JobKey key, Turn.Mine turn, FailedFill failure, Patience patience)
    {
        var backsOff = failure.BackOff > TimeSpan.Zero;
        var word = $"{(backsOff ? FailedBefore : Refused)}{turn.Order}:{JsonSerializer.Serialize(failure)}";
        var reply = await redis.TryAsync<RedisResult>(database => database.ScriptEvaluateAsync(Release, [Lock(key)],
            [turn.Lock, word, (long)(backsOff ? failure.BackOff : HandOver).TotalMilliseconds, JobChannel.Name, key.Name])!, patience);
        if (reply is null) left.Add(Lock(key), turn.Lock);
    }

    private async ValueTask<(RedisResult? Result, string Fetch)> AskForTurnAsync(
        JobKey key, RedisValue known, long awaited, ReadOnlyMemory<byte> rejected, TimeSpan lease, Patience patience, long above)
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
            database => database.ScriptEvaluateAsync(TakeTurn, Keys(key),
                [fetch, (long)lease.TotalMilliseconds, known, purges.LatestOf(key), rejected, awaited, above, overdue])!,
            patience);
    }

    /// <summary>Whether a lock lasts longer than a node sets one for.</summary>
    private static bool IsOverdue(RedisResult reply, TimeSpan lease)
    {
        var (held, left) = ((string)reply[1]!, TimeSpan.FromMilliseconds((long)reply[2]));
        if (held.StartsWith(Owned, StringComparison.Ordinal)) return left > lease + Rounding;
        var given = held.StartsWith(FailedBefore, StringComparison.Ordinal) ? Parse(held)?.BackOff : HandOver;
        return left > given + Rounding;
    }

    private static Turn TurnOf((RedisResult? Result, string Fetch) reply)
    {
        var result = reply.Result!;
        switch ((string?)result[0])
        {
            case "mine":
                return new Turn.Mine(Number((string)result[1]!), $"{Owned}{reply.Fetch}:{(string)result[1]!}");
            case "look":
                return new Turn.LookAgain();
        }
        var held = (string)result[1]!;
        var lasts = TimeSpan.FromMilliseconds(Math.Max(0, (long)result[2]) + 1);
        if (held.StartsWith(Owned, StringComparison.Ordinal)) return new Turn.Theirs(Number(held[(held.LastIndexOf(':') + 1)..]), lasts);
        return Failure(held, lasts) is { } failure ? new Turn.Failed(failure) : new Turn.Theirs(long.MaxValue, lasts);
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
        metrics.StoredValueRejected(reason);
        return new Found(null, rejected);
    }
}

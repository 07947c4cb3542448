using System.Globalization;
using Gateway.Redis;
using StackExchange.Redis;

namespace Gateway.Limits;

/// <summary>What Redis said to a node that asked for permits.</summary>
/// <param name="Granted">The permits that are this node's now.</param>
/// <param name="Restored">When all permits are there again, as <see cref="Gcra"/> has it, by Redis's clock.</param>
/// <param name="Now">What time it was there.</param>
internal readonly record struct Lease(long Granted, double Restored, double Now);

/// <summary>
/// The quotas of all nodes, in Redis: one number each (<see cref="Gcra"/>), by the clock of Redis. Nodes do not ask for
/// each permit, but for some at a time.
/// </summary>
internal sealed class SharedQuotas(RedisConnection redis)
{
    // What comes back is given back first; what was spent without asking, while Redis was away, is taken first. A quota that
    // is full again is forgotten. The value is the time at which the bucket is full, and the time at which that was written:
    // if the clock was set back since, both move along; otherwise the bucket would count as empty.
    private const string Ask = """
        local time = redis.call('TIME')
        local now = time[1] * 1000000 + time[2]
        local interval, burst, wanted, back = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
        local full = now + burst * interval
        local restored, written = string.match(redis.call('GET', KEYS[1]) or '', '^(%S+) ?(%S*)')
        restored, written = tonumber(restored or '') or now, tonumber(written or '') or now
        if written > now then restored = restored - (written - now) end
        restored = math.max(now, math.min(full, math.max(now, math.min(full, restored)) - back * interval))
        local granted = math.min(wanted, math.max(0, math.floor(burst - (restored - now) / interval + 0.000001)))
        restored = restored + granted * interval
        if restored > now then
          redis.call('SET', KEYS[1], string.format('%.3f %.0f', restored, now), 'PX', math.ceil((restored - now) / 1000) + 1000)
        else
          redis.call('DEL', KEYS[1])
        end
        return {granted, string.format('%.3f', restored), string.format('%.0f', now)}
        """;

    // A node that has not been heard of for some seconds is gone. A time ahead is from before the clock was set back.
    private const string Beat = """
        local time = redis.call('TIME')
        redis.call('ZADD', KEYS[1], time[1], ARGV[1])
        redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', time[1] - 5)
        redis.call('ZREMRANGEBYSCORE', KEYS[1], time[1] + 5, '+inf')
        redis.call('EXPIRE', KEYS[1], 60)
        return redis.call('ZCARD', KEYS[1])
        """;

    private const string Prefix = RedisConnection.Prefix + "quota:";

    private static readonly RedisKey NodesKey = RedisConnection.Prefix + "nodes";

    private readonly string _node = Guid.NewGuid().ToString("N");
    private int _nodes = 1;

    public bool IsConfigured => redis.IsConfigured;

    public bool IsAvailable => redis.IsAvailable;

    /// <summary>How many nodes there are, as far as this one knows; itself at least.</summary>
    public int Nodes => Volatile.Read(ref _nodes);

    /// <summary>Asks for permits.</summary>
    /// <param name="back">Permits that come back; negative: that were spent without asking.</param>
    /// <returns>Null: Redis is away.</returns>
    public async ValueTask<Lease?> AskAsync(string name, Gcra quota, long wanted, long back)
    {
        RedisValue[] arguments = [Text(quota.Interval), Text(quota.Burst), wanted, back];
        var reply = await redis.TryAsync<RedisResult>(async database =>
            await database.ScriptEvaluateAsync(Ask, [Prefix + name], arguments), redis.NewPatience());
        return reply is null ? null : new Lease((long)reply[0], Number(reply[1]), Number(reply[2]));
    }

    /// <summary>Logs a defect of the gateway with its stack.</summary>
    public void ReportDefect(Exception defect) => redis.ReportDefect(defect);

    /// <summary>Says that this node is there, and counts those that are.</summary>
    public async Task BeatAsync()
    {
        var count = await redis.TryAsync<RedisResult>(async database => await database.ScriptEvaluateAsync(Beat, [NodesKey], [_node]), redis.NewPatience());
        if (count is not null) Volatile.Write(ref _nodes, Math.Max(1, (int)count));
    }

    private static string Text(double number) => number.ToString("R", CultureInfo.InvariantCulture);

    private static double Number(RedisResult text) => double.Parse(text.ToString(), CultureInfo.InvariantCulture);
}

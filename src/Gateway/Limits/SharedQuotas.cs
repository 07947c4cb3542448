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
    private static readonly string Ask = ScriptFile.Read("lease-permits");

    private static readonly string Beat = ScriptFile.Read("count-nodes");

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
            await database.ScriptEvaluateAsync(Ask, [Prefix + name], arguments), redis.NewTimeBudget());
        return reply is null ? null : new Lease((long)reply[0], Number(reply[1]), Number(reply[2]));
    }

    /// <summary>Logs a defect of the gateway with its stack.</summary>
    public void ReportDefect(Exception defect) => redis.ReportDefect(defect);

    /// <summary>Says that this node is there, and counts those that are.</summary>
    public async Task BeatAsync()
    {
        var count = await redis.TryAsync<RedisResult>(async database => await database.ScriptEvaluateAsync(Beat, [NodesKey], [_node]), redis.NewTimeBudget());
        if (count is not null) Volatile.Write(ref _nodes, Math.Max(1, (int)count));
    }

    private static string Text(double number) => number.ToString("R", CultureInfo.InvariantCulture);

    private static double Number(RedisResult text) => double.Parse(text.ToString(), CultureInfo.InvariantCulture);
}

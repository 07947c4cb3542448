using System.Globalization;
using Gateway.Redis;
using StackExchange.Redis;

namespace Gateway.Limits;

/// <summary>The reply of Redis to a request for permits.</summary>
/// <param name="Granted">The permits that Redis granted.</param>
/// <param name="Restored">When the token bucket is full again, by Redis's clock (<see cref="Gcra"/>).</param>
/// <param name="Now">The time of the reply, by Redis's clock.</param>
internal readonly record struct Lease(long Granted, double Restored, double Now);

/// <summary>
/// The quotas that all nodes share, in Redis. A quota is one number (<see cref="Gcra"/>) by Redis's clock. A node asks
/// for several permits at a time.
/// </summary>
internal sealed class SharedQuotas(RedisConnection redis, NodeCount nodes)
{
    private static readonly string LeasePermits = ScriptFile.Read("lease-permits");

    private const string Prefix = "quota:";

    public bool IsConfigured => redis.IsConfigured;

    public bool IsAvailable => redis.IsAvailable;

    /// <summary>The number of live nodes as far as this node knows, at least 1.</summary>
    public int Nodes => nodes.Value;

    /// <summary>Asks Redis for permits.</summary>
    /// <param name="back">The permits to give back; negative for permits spent while Redis was away.</param>
    /// <returns>Null if Redis did not answer.</returns>
    public async ValueTask<Lease?> AskAsync(string name, Gcra quota, long wanted, long back)
    {
        RedisValue[] arguments = [Text(quota.Interval), Text(quota.Burst), wanted, back];
        var reply = await redis.TryAsync<RedisResult>(async database =>
            await database.ScriptEvaluateAsync(LeasePermits, [Prefix + name], arguments), redis.NewTimeBudget());
        return reply is null ? null : new Lease((long)reply[0], Number(reply[1]), Number(reply[2]));
    }

    /// <summary>Logs a defect of the gateway with its stack.</summary>
    public void ReportDefect(Exception defect) => redis.ReportDefect(defect);

    private static string Text(double number) => number.ToString("R", CultureInfo.InvariantCulture);

    private static double Number(RedisResult text) => double.Parse(text.ToString(), CultureInfo.InvariantCulture);
}

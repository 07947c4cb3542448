using System.Diagnostics.Metrics;
using Gateway.Telemetry;
using StackExchange.Redis;

namespace Gateway.Redis;

/// <summary>Metrics of Redis, as this node uses it.</summary>
internal sealed class RedisMetrics
{
    private static readonly string[] KnownErrors =
        ["OOM", "READONLY", "MISCONF", "NOREPLICAS", "CLUSTERDOWN", "NOPERM", "NOAUTH", "LOADING", "BUSY", "WRONGTYPE"];

    private static readonly KeyValuePair<string, object?> System = new("db.system.name", "redis");

    private readonly Meter _meter;
    private readonly Counter<long> _rejected, _refused;
    private readonly Histogram<double> _durations;

    public RedisMetrics(IMeterFactory meters)
    {
        _meter = meters.CreateGateway();
        _rejected = _meter.CreateCounter<long>(
            "gateway.cache.rejected", "{value}", "Values in Redis that the gateway rejected, by reason");
        _refused = _meter.CreateCounter<long>(
            "gateway.redis.refused", "{command}", "Commands that Redis refused, by the code of its error");
        _durations = _meter.CreateHistogram<double>(
            "db.client.operation.duration", "s", "Time of one exchange with Redis",
            advice: new()
            {
                HistogramBucketBoundaries =
                [
                    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 10,
                ],
            });
    }

    public void Rejected(string reason) => _rejected.Add(1, Error(reason));

    /// <summary>Counts a command that Redis has refused.</summary>
    public void Refused(string code) => _refused.Add(1, Error(Known(code)));

    /// <param name="failure">Null: Redis replied.</param>
    public void Asked(TimeSpan time, Exception? failure)
    {
        if (failure is null) _durations.Record(time.TotalSeconds, System);
        else _durations.Record(time.TotalSeconds, System, Error(KindOf(failure)));
    }

    /// <summary>Observes whether nodes can share their state in Redis, and each reason why they cannot.</summary>
    /// <param name="problem">The current reason; null if they can.</param>
    /// <param name="reasons">All reasons; empty if Redis is not configured.</param>
    public void Observe(Func<string?> problem, IReadOnlyList<string> reasons)
    {
        _meter.CreateObservableGauge("gateway.redis.usable",
            () => reasons.Take(1).Select(_ => new Measurement<int>(problem() is null ? 1 : 0)), null,
            "1 while this node can share all of its state in Redis");
        _meter.CreateObservableGauge("gateway.redis.problem", () =>
        {
            var now = problem();
            return reasons.Select(reason => new Measurement<int>(reason == now ? 1 : 0, Error(reason)));
        }, null, "1 for the reason why this node cannot share all of its state in Redis");
    }

    private static KeyValuePair<string, object?> Error(string type) => new(MetricTags.Error, type);

    private static string KindOf(Exception failure) => failure switch
    {
        RedisServerException refusal => Known(refusal.Message.Split(' ')[0]),
        TimeoutException or OperationCanceledException => "timeout",
        _ => "connection",
    };

    // A script can fail with any text.
    private static string Known(string code) => KnownErrors.Contains(code, StringComparer.Ordinal) ? code : "other";
}

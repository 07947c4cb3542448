using System.Diagnostics.Metrics;
using Gateway.Telemetry;

namespace Gateway.Redis;

internal sealed class RedisMetrics(IMeterFactory meters)
{
    private readonly Counter<long> _rejected = meters.CreateGateway().CreateCounter<long>(
        "gateway.cache.rejected", "{value}", "Values in Redis that the gateway rejected, by reason");

    public void Rejected(string reason) => _rejected.Add(1, new KeyValuePair<string, object?>("reason", reason));
}

using System.Diagnostics.Metrics;

namespace Gateway.Telemetry;

/// <summary>Counts requests that were refused before the cache look-up.</summary>
internal sealed class RefusalMetrics(IMeterFactory meters)
{
    private readonly Counter<long> _refusals = meters.CreateGateway().CreateCounter<long>(
        "gateway.refusals", "{request}", "Requests refused before the look-up, by reason");

    public void Refused(string reason) => _refusals.Add(1, new KeyValuePair<string, object?>(MetricTags.Error, reason));
}

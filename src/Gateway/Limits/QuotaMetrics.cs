using System.Diagnostics.Metrics;
using Gateway.Telemetry;

namespace Gateway.Limits;

internal sealed class QuotaMetrics(IMeterFactory meters)
{
    private readonly Counter<long> _exceeded = meters.CreateGateway().CreateCounter<long>(
        "gateway.quota.exceeded", "{request}", "Requests for which a quota had no permit, by policy and mode");

    public void Exceeded(string policy, string mode) =>
        _exceeded.Add(1, new("gateway.quota.name", policy), new("gateway.quota.mode", mode));
}

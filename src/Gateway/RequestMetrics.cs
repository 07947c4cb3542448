using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Gateway.Telemetry;

namespace Gateway;

/// <summary>
/// Counts answered requests by team, operation and status. Teams and operations come from the configuration, so there
/// are few combinations.
/// </summary>
internal sealed class RequestMetrics
{
    private readonly ConcurrentDictionary<(string Team, string Operation, int Status), Tally> _requests = new();

    public RequestMetrics(IMeterFactory meters) => meters.CreateGateway().CreateObservableCounter(
        "gateway.requests", Requests, "{request}", "Answered requests, by team, operation and status");

    public void Answered(string team, string operation, int status) =>
        _requests.GetOrAdd((team, operation, status), _ => new Tally()).Increment();

    private IEnumerable<Measurement<long>> Requests() => _requests.Select(one => new Measurement<long>(
        one.Value.Count,
        new(MetricTags.Team, one.Key.Team), new(MetricTags.Operation, one.Key.Operation),
        new(MetricTags.Status, one.Key.Status)));
}

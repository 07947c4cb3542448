using System.Diagnostics.Metrics;
using Gateway.Telemetry;

namespace Gateway.Drift;

/// <summary>Counts drift. The names of unknown fields are bounded in number and form.</summary>
internal sealed class DriftMetrics
{
    private readonly Meter _meter;
    private readonly Counter<long> _drift;

    public DriftMetrics(IMeterFactory meters)
    {
        _meter = meters.CreateGateway();
        _drift = _meter.CreateCounter<long>(
            "gateway.drift.jobs", "{job}", "Jobs that differ from the contract, by pointer and kind");
    }

    public void Drifted(string pointer, string kind) => _drift.Add(1,
        new("gateway.drift.pointer", pointer), new("gateway.drift.kind", kind));

    public void ObserveChecks(Func<CheckOutcome, long> count) => _meter.CreateObservableCounter("gateway.drift.checks",
        () => Enum.GetValues<CheckOutcome>().Select(outcome => new Measurement<long>(
            count(outcome), new KeyValuePair<string, object?>("gateway.drift.outcome", outcome.ToString()))),
        "{job}", "Jobs of the upstream offered for a drift check, by outcome");
}

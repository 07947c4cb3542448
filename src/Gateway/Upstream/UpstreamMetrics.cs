using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Gateway.Telemetry;

namespace Gateway.Upstream;

/// <summary>Metrics of calls to the upstream and of its accounts.</summary>
internal sealed class UpstreamMetrics
{
    private readonly Meter _meter;
    private readonly Counter<long> _calls;
    private readonly Histogram<double> _queue;

    public UpstreamMetrics(IMeterFactory meters)
    {
        _meter = meters.CreateGateway();
        _calls = _meter.CreateCounter<long>("gateway.upstream.calls", "{call}",
            "Calls to the upstream, retries included, by status; 0 if there was no answer");
        _queue = _meter.CreateHistogram<double>("gateway.account.wait", "s",
            "Time that a call waited for its account's budget",
            advice: new() { HistogramBucketBoundaries = [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10] });
    }

    public void Called(int status) => _calls.Add(1, new KeyValuePair<string, object?>("status", status));

    public void Queued(string account, TimeSpan time, UpstreamFault fault)
    {
        var outcome = fault == UpstreamFault.None ? "sent" : fault.ToString();
        _queue.Record(time.TotalSeconds, new("account", account), new("outcome", outcome));
    }

    /// <summary>Observes whether each account can be used, and the calls that wait for it.</summary>
    public void ObserveAccounts(ConcurrentDictionary<string, AccountGate> gates)
    {
        _meter.CreateObservableGauge("gateway.account.refused",
            () => Each(gate => gate.Standing == CredentialStanding.Refused ? 1 : 0), null,
            "1 while the upstream accepts none of the account's credentials");
        _meter.CreateObservableGauge("gateway.account.next", () => Each(gate => gate.IsOnNext ? 1 : 0), null,
            "1 while the next credential replaces a dead one");
        _meter.CreateObservableGauge("gateway.account.queue", () => Each(gate => gate.Waiting), "{call}",
            "Calls of this node that wait for the account's budget");

        IEnumerable<Measurement<int>> Each(Func<AccountGate, int> value) => gates.Select(
            gate => new Measurement<int>(value(gate.Value), new KeyValuePair<string, object?>("account", gate.Key)));
    }
}

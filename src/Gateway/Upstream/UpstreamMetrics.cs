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
            "Calls to the upstream, retries included, by account and status");
        _queue = _meter.CreateHistogram<double>("gateway.account.wait_time", "s",
            "Time that a call waited for its account's budget",
            advice: new() { HistogramBucketBoundaries = [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10] });
    }

    /// <param name="status">Null: there was no answer.</param>
    public void Called(string account, int? status) => _calls.Add(1, new(MetricTags.Account, account),
        status is { } known ? new(MetricTags.Status, known) : new(MetricTags.Error, "no-answer"));

    public void Queued(string account, TimeSpan time, UpstreamFault fault)
    {
        var outcome = fault == UpstreamFault.None ? "sent" : fault.ToString();
        _queue.Record(time.TotalSeconds, new(MetricTags.Account, account), new("gateway.wait.outcome", outcome));
    }

    /// <summary>Observes whether each account can be used, its budget, and the calls that wait for it.</summary>
    public void ObserveAccounts(Func<IEnumerable<AccountGate>> gates)
    {
        _meter.CreateObservableGauge("gateway.account.refused",
            () => Each(gate => gate.Standing == CredentialStanding.Refused ? 1 : 0), null,
            "1 while the upstream accepts none of the account's credentials");
        _meter.CreateObservableGauge("gateway.account.next", () => Each(gate => gate.IsOnNext ? 1 : 0), null,
            "1 while the next credential replaces a dead one");
        _meter.CreateObservableGauge("gateway.account.queue", () => Each(gate => gate.Waiting), "{call}",
            "Calls of this node that wait for the account's budget");
        _meter.CreateObservableGauge("gateway.account.budget.rate", () => Each(gate => gate.Budget.Rate), "{call}/s",
            "Calls a second that all nodes together may make with the account");
        _meter.CreateObservableGauge("gateway.account.budget.limit", () => Each(gate => gate.Budget.Burst), "{call}",
            "Calls that the account's budget holds when it is full");
        _meter.CreateObservableGauge("gateway.account.budget.left", () => Each(gate => gate.Budget.Left), "{call}",
            "Calls that the account's budget holds now, as far as this node knows");

        IEnumerable<Measurement<T>> Each<T>(Func<AccountGate, T> value) where T : struct => gates().Select(
            gate => new Measurement<T>(value(gate), new KeyValuePair<string, object?>(MetricTags.Account, gate.Name)));
    }
}

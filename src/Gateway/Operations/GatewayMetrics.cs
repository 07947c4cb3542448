using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Gateway.Drift;
using Gateway.Jobs;
using Gateway.Upstream;

namespace Gateway.Operations;

/// <summary>
/// Everything the gateway counts. Tags have few values: teams come from the configuration, and identifiers of jobs and
/// workflows never appear. Names of fields that the upstream made up are bounded in number and form.
/// </summary>
internal sealed class GatewayMetrics
{
    public const string MeterName = "Gateway";

    private readonly Meter _meter;
    private readonly ConcurrentDictionary<(string Team, string Operation, int Status), Tally> _requests = new();
    private readonly Tally _hits = new(), _misses = new(), _collapsed = new(), _stale = new();
    private readonly Counter<long> _refusals;
    private readonly Counter<long> _quota;
    private readonly Counter<long> _upstreamCalls;
    private readonly Counter<long> _rejected;
    private readonly Counter<long> _drift;
    private readonly Histogram<double> _fills;
    private readonly Histogram<double> _queue;

    public GatewayMetrics(IMeterFactory factory)
    {
        var meter = _meter = factory.Create(MeterName);
        // What each request counts is added up here, and asked for when somebody looks.
        meter.CreateObservableCounter("gateway.requests", Requests, "{request}", "Answered requests, by team, operation and status");
        meter.CreateObservableCounter("gateway.cache.lookups", Lookups, "{lookup}", "Look-ups of jobs: hit, miss, collapsed or stale");
        _refusals = meter.CreateCounter<long>("gateway.refusals", "{request}", "Requests refused before the look-up, by reason");
        _quota = meter.CreateCounter<long>("gateway.quota.exceeded", "{request}", "Requests that found no permit of a quota, by policy and mode");
        _upstreamCalls = meter.CreateCounter<long>("gateway.upstream.calls", "{call}",
            "Calls to the upstream, retries included, by status; 0 where there was no answer");
        _rejected = meter.CreateCounter<long>("gateway.cache.rejected", "{value}", "Stored values that failed their checks, by reason");
        _drift = meter.CreateCounter<long>("gateway.drift", "{job}", "Jobs that are not what the contract says, by pointer and kind");
        _fills = meter.CreateHistogram<double>("gateway.fill.duration", "s", "Time from asking the upstream to its verdict",
            advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] });
        _queue = meter.CreateHistogram<double>("gateway.account.wait", "s", "Time that a call waited for its account's budget",
            advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10] });
    }

    /// <summary>Whether each account can be used, and what waits for it.</summary>
    public void ObserveAccounts(ConcurrentDictionary<string, AccountGate> gates)
    {
        IEnumerable<Measurement<int>> Each(Func<AccountGate, int> value) =>
            gates.Select(gate => new Measurement<int>(value(gate.Value), new KeyValuePair<string, object?>("account", gate.Key)));

        _meter.CreateObservableGauge("gateway.account.refused", () => Each(gate => gate.Credentials.Standing == CredentialStanding.Refused ? 1 : 0), null,
            "1 while the upstream takes none of the account's credentials");
        _meter.CreateObservableGauge("gateway.account.next", () => Each(gate => gate.Credentials.IsOnNext ? 1 : 0), null,
            "1 while the next credential stands in for a dead one");
        _meter.CreateObservableGauge("gateway.account.queue", () => Each(gate => gate.Waiting), "{call}",
            "Calls of this node that wait for the account's budget");
    }

    public void ObserveMemory(Func<long> bytes) =>
        _meter.CreateObservableGauge("gateway.cache.memory", bytes, "By", "Cached jobs in this node's memory");

    public void ObserveDroppedLines(Func<long> lines) =>
        _meter.CreateObservableCounter("gateway.log.dropped", lines, "{line}",
            "Log lines that were dropped, because standard output was not read fast enough");

    public void ObserveConnections(Func<long> refused) => _meter.CreateObservableCounter(
        "gateway.connections.refused", refused, "{connection}", "Connections that were closed, because there were as many as may be");

    public void Answered(string team, string operation, int status) =>
        _requests.GetOrAdd((team, operation, status), _ => new Tally()).Increment();

    public void ObserveDriftChecks(Func<CheckOutcome, long> count) => _meter.CreateObservableCounter("gateway.drift.checks",
        () => Enum.GetValues<CheckOutcome>().Select(outcome => new Measurement<long>(count(outcome), new KeyValuePair<string, object?>("outcome", outcome.ToString()))),
        "{job}", "Jobs of the upstream that were checked for drift, or were not, by outcome");

    public void LookedUp(Origin origin, bool collapsed) => (origin switch
    {
        Origin.Hit => _hits,
        Origin.Stale => _stale,
        _ => collapsed ? _collapsed : _misses,
    }).Increment();

    public void Refused(string reason) => _refusals.Add(1, new KeyValuePair<string, object?>("reason", reason));

    public void QuotaExceeded(string policy, string mode) => _quota.Add(1, new("policy", policy), new("mode", mode));

    public void UpstreamCalled(int status) => _upstreamCalls.Add(1, new KeyValuePair<string, object?>("status", status));

    public void Queued(string account, TimeSpan time, UpstreamFault fault) =>
        _queue.Record(time.TotalSeconds, new("account", account), new("outcome", fault == UpstreamFault.None ? "sent" : fault.ToString()));

    public void StoredValueRejected(string reason) => _rejected.Add(1, new KeyValuePair<string, object?>("reason", reason));

    public void Drifted(string pointer, string kind) => _drift.Add(1, new("pointer", pointer), new("kind", kind));

    public void Filled(in Verdict verdict, TimeSpan time) =>
        _fills.Record(time.TotalSeconds, new("verdict", verdict.Kind.ToString()), new("detail", verdict.Detail));

    private IEnumerable<Measurement<long>> Requests() => _requests.Select(one => new Measurement<long>(
        one.Value.Count, new("team", one.Key.Team), new("operation", one.Key.Operation), new("status", one.Key.Status)));

    private IEnumerable<Measurement<long>> Lookups()
    {
        foreach (var (outcome, tally) in new[] { ("hit", _hits), ("miss", _misses), ("collapsed", _collapsed), ("stale", _stale) })
        {
            yield return new Measurement<long>(tally.Count, new KeyValuePair<string, object?>("outcome", outcome));
        }
    }
}

using System.Diagnostics.Metrics;
using Gateway.Jobs;
using Gateway.Telemetry;

namespace Gateway.Caching;

/// <summary>The metrics of the job cache. No label holds an identifier of a job or a workflow.</summary>
internal sealed class CacheMetrics
{
    private readonly Tally _hits = new(), _misses = new(), _collapsed = new(), _staleIfError = new(), _failed = new();
    private readonly Meter _meter;
    private readonly Histogram<double> _fills;

    public CacheMetrics(IMeterFactory meters)
    {
        _meter = meters.CreateGateway();
        _meter.CreateObservableCounter(
            "gateway.cache.lookups", Lookups, "{lookup}",
            "Look-ups of jobs: hit, miss, collapsed, stale-if-error or failed");
        _fills = _meter.CreateHistogram<double>(
            "gateway.fill.duration", "s", "Time from the start of an upstream fetch to its classified result",
            advice: new() { HistogramBucketBoundaries = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] });
    }

    public void ObserveMemory(Func<long> bytes) =>
        _meter.CreateObservableGauge("gateway.cache.memory", bytes, "By", "Cached jobs in this node's memory");

    public void Hit() => _hits.Increment();

    /// <param name="isShared">Whether the caller shared a fetch with others.</param>
    public void LookedUp(Lookup lookup, bool isShared) => (lookup switch
    {
        Lookup.Hit => _hits,
        Lookup.Stale => _staleIfError,
        Lookup.Failed => _failed,
        _ => isShared ? _collapsed : _misses,
    }).Increment();

    public void Filled(in Verdict verdict, TimeSpan time) =>
        _fills.Record(time.TotalSeconds, new("verdict", verdict.Kind.ToString()), new("detail", verdict.Detail));

    private IEnumerable<Measurement<long>> Lookups()
    {
        var tallies = new[]
        {
            ("hit", _hits), ("miss", _misses), ("collapsed", _collapsed), ("stale-if-error", _staleIfError),
            ("failed", _failed),
        };
        foreach (var (outcome, tally) in tallies)
        {
            yield return new Measurement<long>(tally.Count, new KeyValuePair<string, object?>("outcome", outcome));
        }
    }
}

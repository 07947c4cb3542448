using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Gateway.Jobs;
using Gateway.Telemetry;
using Microsoft.AspNetCore.Http.Features;

namespace Gateway.Caching;

/// <summary>The metrics of the job cache. No tag holds an identifier of a job or a workflow.</summary>
internal sealed class CacheMetrics
{
    private const string Hits = "hit", Misses = "miss", Collapsed = "collapsed", StaleIfError = "stale-if-error",
        Failed = "failed";

    private static readonly string[] Rare = [Misses, Collapsed, StaleIfError, Failed];

    /// <summary>The outcome of a request that waited for a change, in the metric of durations.</summary>
    public const string Waited = "waited";

    private static readonly KeyValuePair<string, object?> HitTag = new(MetricTags.CacheOutcome, Hits);

    private readonly ConcurrentDictionary<string, TeamTallies> _teams = new(StringComparer.Ordinal);
    private readonly Meter _meter;
    private readonly Histogram<double> _fills;

    public CacheMetrics(IMeterFactory meters)
    {
        _meter = meters.CreateGateway();
        _meter.CreateObservableCounter(
            "gateway.cache.lookups", Lookups, "{lookup}",
            "Look-ups of jobs by team and outcome: hit, miss, collapsed, stale-if-error or failed");
        _fills = _meter.CreateHistogram<double>(
            "gateway.fill.duration", "s", "Time from the start of an upstream fetch to its classified result",
            advice: new() { HistogramBucketBoundaries = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] });
    }

    public void ObserveMemory(Func<long> bytes) =>
        _meter.CreateObservableGauge("gateway.cache.memory", bytes, "By", "Cached jobs in this node's memory");

    /// <summary>Counts a hit of a request for one job.</summary>
    public void Hit(HttpContext http, string team)
    {
        Of(team).Hits.Increment();
        http.Features.Get<IHttpMetricsTagsFeature>()?.Tags.Add(HitTag);
    }

    /// <summary>Counts the look-up of a request for one job, or of one job of a batch.</summary>
    /// <param name="isShared">Whether the caller shared a fetch with others.</param>
    /// <returns>The outcome.</returns>
    public string LookedUp(string team, Lookup lookup, bool isShared)
    {
        var outcome = lookup switch
        {
            Lookup.Hit => Hits,
            Lookup.Stale => StaleIfError,
            Lookup.Failed => Failed,
            _ => isShared ? Collapsed : Misses,
        };
        if (outcome == Hits) Of(team).Hits.Increment();
        else Interlocked.Increment(ref Of(team).Others[Array.IndexOf(Rare, outcome)]);
        return outcome;
    }

    /// <summary>Adds the outcome of a request for one job to the server's own metric of its duration.</summary>
    public static void Tag(HttpContext http, string outcome) =>
        http.Features.Get<IHttpMetricsTagsFeature>()?.Tags.Add(new(MetricTags.CacheOutcome, outcome));

    public void Filled(in Verdict verdict, TimeSpan time) => _fills.Record(
        time.TotalSeconds,
        new("gateway.fill.verdict", verdict.Kind.ToString()), new("gateway.fill.detail", verdict.Detail));

    private TeamTallies Of(string team) => _teams.GetOrAdd(team, _ => new TeamTallies());

    private IEnumerable<Measurement<long>> Lookups()
    {
        foreach (var (team, tallies) in _teams)
        {
            yield return Of(Hits, tallies.Hits.Count);
            for (var i = 0; i < Rare.Length; i++) yield return Of(Rare[i], Interlocked.Read(ref tallies.Others[i]));

            Measurement<long> Of(string outcome, long count) =>
                new(count, new(MetricTags.Team, team), new(MetricTags.CacheOutcome, outcome));
        }
    }

    /// <summary>The look-ups of a team. Only hits are so frequent that each core counts for itself.</summary>
    private sealed class TeamTallies
    {
        public Tally Hits { get; } = new();

        /// <summary>The look-ups with the outcomes in <see cref="Rare"/>.</summary>
        public long[] Others { get; } = new long[Rare.Length];
    }
}

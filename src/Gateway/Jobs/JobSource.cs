using System.Diagnostics;
using Gateway.Configuration;
using Gateway.Operations;
using Gateway.Upstream;

namespace Gateway.Jobs;

/// <summary>How an answer was come by.</summary>
internal enum Origin
{
    /// <summary>A fresh snapshot from cache.</summary>
    Hit,

    /// <summary>The upstream's answer, just now.</summary>
    Forwarded,

    /// <summary>The last snapshot, for the upstream failed.</summary>
    Stale,
}

/// <summary>What is to be answered for a job.</summary>
/// <param name="Snapshot">Null where there is only the verdict: the upstream refused, failed or sent something else.</param>
/// <param name="Verdict">What the upstream said just now; of no meaning for a hit.</param>
/// <param name="Answer">The upstream's answer; of no meaning for a hit.</param>
/// <param name="Refreshed">Whether an older snapshot was known when the upstream was asked.</param>
internal sealed record Lookup(
    Origin Origin, JobSnapshot? Snapshot, Verdict Verdict = default, UpstreamAnswer Answer = default, bool Refreshed = false)
{
    public static Lookup Hit(JobSnapshot snapshot) => new(Origin.Hit, snapshot);
}

/// <summary>Steps 5 to 7 of the request path: look up, fetch, classify and store.</summary>
internal sealed class JobSource(
    JobCache cache, UpstreamClient upstream, LiveConfiguration configuration, GatewayMetrics metrics, TimeProvider clock)
{
    private readonly SingleFlight<JobKey, Lookup> _fills = new();

    /// <summary>A fresh snapshot out of this node's memory, or null.</summary>
    public JobSnapshot? FindFresh(in JobKey key) =>
        cache.FindInMemory(key) is { } snapshot && snapshot.IsFresh(clock.GetUtcNow()) ? snapshot : null;

    /// <summary>Joins the one fill of this job, or starts it. The fill is bounded in time by the upstream's timeout.</summary>
    public Task<Lookup> FillAsync(in JobKey key, out bool collapsed) => _fills.Join(key, RunFillAsync, out collapsed);

    private async Task<Lookup> RunFillAsync(JobKey key)
    {
        // Another node, or the fill just before this one, may have been here.
        var known = await cache.FindAsync(key);
        if (known?.IsFresh(clock.GetUtcNow()) == true) return Lookup.Hit(known);

        var started = Stopwatch.GetTimestamp();
        var answer = await upstream.GetJobAsync(key.Account, key.Address);

        var options = configuration.Current.Jobs;
        var now = clock.GetUtcNow();
        var verdict = Freshness.Classify(answer, key.Address, options, now);
        metrics.Filled(verdict, Stopwatch.GetElapsedTime(started));
        if (verdict.IsJob || verdict.Kind == VerdictKind.NotFound)
        {
            var snapshot = JobSnapshot.From(key, answer.Body, verdict, now);
            await cache.StoreAsync(snapshot);
            return new Lookup(Origin.Forwarded, snapshot, verdict, answer, known is not null);
        }
        return verdict.MayServeStale && known?.MayServeStale(options.StaleIfError, now) == true
            ? new Lookup(Origin.Stale, known, verdict, answer)
            : new Lookup(Origin.Forwarded, null, verdict, answer, known is not null);
    }
}

using Gateway.Caching;
using Gateway.Jobs;
using Gateway.Runtime;
using Microsoft.Extensions.Options;

namespace Gateway.Watching;

/// <summary>
/// Lets a request wait until a job has changed: <c>Prefer: wait=N</c> (RFC 7240, section 4.3). With
/// <c>If-None-Match</c> the request waits until the representation differs from the caller's, otherwise until the job
/// is final. A finished job is answered at once, because it does not change.
/// </summary>
internal sealed class LongPoll(
    WatchedJobs watched, JobSource jobs, IOptionsMonitor<WatchingOptions> options, IHostApplicationLifetime lifetime,
    SteadyClock steady, TimeProvider clock)
{
    /// <summary>Waits as the request prefers, and notes in the response that it did.</summary>
    /// <param name="team">The team that is charged.</param>
    /// <returns>Whether it waited. The caller's permission may have ended meanwhile.</returns>
    /// <exception cref="OperationCanceledException">The caller left.</exception>
    public async ValueTask<bool> WaitAsync(HttpContext http, JobKey key, string team)
    {
        if (Prefer.Wait(http.Request.Headers[Prefer.Name]) is not { Ticks: > 0 } wait) return false;
        if (jobs.FindFresh(key, steady.Now) is { Kind: VerdictKind.Finished }) return false;
        var most = options.CurrentValue.MaxWait;
        if (wait > most) wait = most;
        var changed = new Signal();
        using var watch = watched.Begin(key, team, changed, WatcherKind.Wait);
        // If there is no room, the caller gets the state now.
        if (watch is null) return false;
        http.Response.Headers[Prefer.Applied] = $"wait={(int)wait.TotalSeconds}";
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(
            http.RequestAborted, lifetime.ApplicationStopping);
        var started = clock.GetTimestamp();
        while (true)
        {
            if (watch.State is { } state && await IsAwaitedAsync(http, key, state)) return true;
            var left = wait - clock.GetElapsedTime(started);
            if (left <= TimeSpan.Zero) return true;
            await changed.WaitAsync().AsTask().WaitAsync(left, clock, stop.Token)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            http.RequestAborted.ThrowIfCancellationRequested();
            if (stop.IsCancellationRequested) return true;
        }
    }

    private async ValueTask<bool> IsAwaitedAsync(HttpContext http, JobKey key, WatchedState state)
    {
        // An error is answered at once, and a stale snapshot is nothing new.
        if (state.Snapshot is not { IsAbsent: false, Kind: not VerdictKind.Finished } snapshot) return true;
        if (http.Request.Headers.IfNoneMatch is not { Count: > 0 } known) return state.IsFinal;
        var wanted = ContentNegotiation.Wanted(http.Request.Headers);
        var representation = await jobs.RepresentAsync(key, snapshot, wanted);
        return !IfNoneMatch.Matches(known, representation.ETag);
    }
}

using System.Collections.Concurrent;
using Gateway.Caching;
using Gateway.Callers;
using Gateway.Problems;
using Gateway.Runtime;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Options;

namespace Gateway.Watching;

/// <summary>
/// The open event streams of this node (HTML standard, section 9.2). One loop serves them all: it checks permissions,
/// sends heartbeats and closes the streams of callers who do not read.
/// </summary>
internal sealed partial class EventStreams : IDisposable
{
    public const string ContentType = "text/event-stream";

    private static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(15);

    // A permission that ends must end its streams within a second.
    private static readonly TimeSpan BetweenChecks = TimeSpan.FromMilliseconds(400);

    // The longest wait for the first state before the headers are sent. A caller that connects again may need to hear
    // that there is nothing more, which only a status can tell.
    private static readonly TimeSpan WaitAtStart = TimeSpan.FromMilliseconds(200),
        WaitToResume = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(10);

    private readonly WatchedJobs _watched;
    private readonly Identification _callers;
    private readonly IOptionsMonitor<WatchingOptions> _options;
    private readonly WatchingMetrics _metrics;
    private readonly SteadyClock _steady;
    private readonly TimeProvider _clock;
    private readonly ILogger<EventStreams> _logger;
    private readonly ConcurrentDictionary<EventStream, bool> _open = new();
    private readonly CancellationTokenRegistration _stopping;
    private readonly PeriodicTimer _timer;
    private volatile bool _isStopping;

    public EventStreams(
        WatchedJobs watched, Identification callers, IOptionsMonitor<WatchingOptions> options,
        WatchingMetrics metrics, IHostApplicationLifetime lifetime, SteadyClock steady, TimeProvider clock,
        ILogger<EventStreams> logger)
    {
        (_watched, _callers, _options, _metrics) = (watched, callers, options, metrics);
        (_steady, _clock, _logger) = (steady, clock, logger);
        _timer = new PeriodicTimer(BetweenChecks, clock);
        _stopping = lifetime.ApplicationStopping.UnsafeRegister(streams => ((EventStreams)streams!).EndAll(), this);
        _ = CheckAllAsync();
    }

    /// <summary>
    /// The time after which a client connects again. It differs, so that the clients of a node that died do not all
    /// come at once.
    /// </summary>
    public static TimeSpan NextRetry() => TimeSpan.FromMilliseconds(Random.Shared.Next(500, 2_500));

    /// <summary>The same when a node stops: the other nodes are ready.</summary>
    public static TimeSpan NextRetryAtEnd() => TimeSpan.FromMilliseconds(Random.Shared.Next(50, 1_500));

    /// <summary>Answers a request with a stream, which lasts until the jobs are final or the caller leaves.</summary>
    /// <param name="jobs">The jobs, and the team that is charged for each.</param>
    /// <returns>
    /// The problem to answer instead; null if the stream has ended, or status 204 says that it is over.
    /// </returns>
    public async Task<Problem?> RunAsync(
        HttpContext http, LastingIdentity identity, (JobKey Job, string Team)[] jobs, EventView view)
    {
        var signal = new Signal();
        var watches = new List<WatchedJobs.Watch>(jobs.Length);
        foreach (var (job, team) in jobs)
        {
            if (_watched.Begin(job, team, signal) is { } watch)
            {
                watches.Add(watch);
                continue;
            }
            foreach (var begun in watches) begun.Dispose();
            return new Problem(
                WatchingProblems.TooManyWatchers, $"The gateway or team '{team}' watches as many jobs as it may.")
            {
                RetryAfter = RetryAfter,
            };
        }
        using var stream = new EventStream(http, identity, [.. watches], view, signal, _metrics, _steady);
        stream.CheckedCaller = identity.Caller;
        var lastId = http.Request.Headers["Last-Event-ID"].ToString();
        if (lastId.Length > 0 || !view.IsOfMany)
        {
            await stream.WaitUntilReadyAsync(lastId.Length > 0 ? WaitToResume : WaitAtStart, _clock);
        }
        if (stream.IsReady && stream.Refusal() is { } refusal) return refusal;
        http.Response.Headers.CacheControl = "no-store, no-transform";
        http.Response.Headers.Vary = Answers.Vary;
        if (lastId.Length > 0)
        {
            if (stream.IsReady && stream.IsKnown(lastId))
            {
                http.Response.StatusCode = StatusCodes.Status204NoContent;
                return null;
            }
            stream.ResumeFrom(lastId);
        }
        http.Response.ContentType = ContentType;
        // nginx holds back what it may compress or buffer.
        http.Response.Headers["X-Accel-Buffering"] = "no";
        http.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
        _open[stream] = true;
        if (_isStopping) stream.End();
        try
        {
            await stream.RunAsync();
        }
        finally
        {
            _open.TryRemove(stream, out _);
        }
        return null;
    }

    public void Dispose()
    {
        _stopping.Dispose();
        _timer.Dispose();
    }

    private void EndAll()
    {
        _isStopping = true;
        foreach (var stream in _open.Keys) stream.End();
    }

    private async Task CheckAllAsync()
    {
        while (await _timer.WaitForNextTickAsync())
        {
            var (longest, now) = (_options.CurrentValue.SlowReaderTimeout, _steady.Now.Ticks);
            foreach (var (stream, _) in _open)
            {
                try
                {
                    if (stream.CloseIfSlow(longest, now)) Log.Slow(_logger, stream.Identity.Caller.Id, longest);
                    stream.KeepAlive(Heartbeat, now);
                    if (stream.IsChecking) continue;
                    var checking = _callers.RecheckAsync(stream.Identity);
                    if (checking.IsCompletedSuccessfully) Apply(stream, checking.Result);
                    else _ = WaitAsync(stream, checking);
                }
                catch (Exception e)
                {
                    // The other streams must not depend on this one.
                    Log.Failed(_logger, e);
                }
            }
        }
    }

    private async Task WaitAsync(EventStream stream, ValueTask<Refusal> checking)
    {
        stream.IsChecking = true;
        try
        {
            Apply(stream, await checking);
        }
        catch (Exception e)
        {
            Log.Failed(_logger, e);
        }
        finally
        {
            stream.IsChecking = false;
        }
    }

    /// <summary>Ends a stream whose caller may no longer watch its jobs.</summary>
    private static void Apply(EventStream stream, Refusal refusal)
    {
        if (refusal != Refusal.None)
        {
            stream.Refuse(Challenge.For(refusal));
            return;
        }
        var caller = stream.Identity.Caller;
        if (ReferenceEquals(caller, stream.CheckedCaller)) return;
        stream.CheckedCaller = caller;
        foreach (var key in stream.Keys)
        {
            if (caller.TeamFor(key.Address.Workflow) is not { } team) stream.Refuse(caller.MayNotRead());
            // The team uses another account now, so the stream must begin again.
            else if (team.Account != key.Account) stream.End();
        }
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Information,
            "A stream of caller {Caller} was closed, because the caller has read nothing for {Time}")]
        public static partial void Slow(ILogger logger, string caller, TimeSpan time);

        [LoggerMessage(LogLevel.Error, "A defect of the gateway ended a check of an event stream; it is repeated")]
        public static partial void Failed(ILogger logger, Exception defect);
    }
}

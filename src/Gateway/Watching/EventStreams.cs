using Gateway.Caching;
using Gateway.Callers;
using Gateway.Problems;
using Gateway.Runtime;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Options;

namespace Gateway.Watching;

/// <summary>
/// Answers requests with event streams (HTML standard, section 9.2). One loop serves all open streams: it checks their
/// permissions and sends heartbeats.
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
    private readonly VisitQueue<EventStream> _open = new();
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
        _ = VisitAllAsync();
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
            if (_watched.Begin(job, team, signal, WatcherKind.Stream) is { } watch)
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
        _open.Add(stream);
        if (_isStopping) stream.End();
        try
        {
            await stream.RunAsync(_options.CurrentValue.SlowReaderTimeout, _clock);
        }
        finally
        {
            _open.Remove(stream);
            if (stream.WasTooSlow) Log.Slow(_logger, identity.Caller.Id, _options.CurrentValue.SlowReaderTimeout);
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
        foreach (var stream in _open.All) stream.End();
    }

    private async Task VisitAllAsync()
    {
        var version = _callers.Version;
        while (await _timer.WaitForNextTickAsync())
        {
            var now = _steady.Now;
            // Read the version before the checks: a change during them is found at the next tick.
            var before = version;
            version = _callers.Version;
            // Check every stream after a change, and otherwise only those whose visit is due.
            IEnumerable<EventStream> streams = version == before ? _open.Due(now) : _open.All;
            foreach (var stream in streams)
            {
                var heartbeat = stream.KeepAlive(Heartbeat, now);
                if (!stream.IsChecking) _ = CheckAsync(stream, heartbeat);
            }
        }
    }

    private async Task CheckAsync(EventStream stream, DateTimeOffset heartbeat)
    {
        var next = DateTimeOffset.MinValue;
        stream.IsChecking = true;
        try
        {
            var version = _callers.Version;
            Apply(stream, await _callers.RecheckAsync(stream.Identity));
            var holdsUntil = stream.Identity.HoldsUntil;
            if (version == _callers.Version) next = holdsUntil < heartbeat ? holdsUntil : heartbeat;
        }
        catch (Exception e)
        {
            // The other streams must not depend on this one.
            Log.Failed(_logger, e);
        }
        finally
        {
            stream.IsChecking = false;
            _open.Move(stream, next);
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

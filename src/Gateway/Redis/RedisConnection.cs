using System.Diagnostics;
using System.Net.Sockets;
using Gateway.Outbound;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace Gateway.Redis;

/// <summary>
/// The connection to Redis, and whether Redis is available. After a failure, no request uses Redis until
/// <see cref="RedisWatch"/> finds it healthy again. A failing Redis then delays one request and not every request.
/// </summary>
internal sealed partial class RedisConnection : IDisposable
{
    private const int MaxTripsPerRequest = 4;

    private static readonly TimeSpan LogInterval = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan BetweenRenewals = TimeSpan.FromSeconds(2);

    private readonly IOptionsMonitor<RedisOptions> _timing;
    private readonly ILogger<RedisConnection> _logger;
    private readonly RedisMetrics _metrics;
    private readonly Certificates _certificates;
    private readonly RedisLinks _links;
    private volatile bool _available, _isReplica, _mayNotListen;
    // The code of the error with which Redis refused a write.
    private volatile string? _refusal;
    private readonly Lock _renewal = new();
    private Task _renewing = Task.CompletedTask;
    private long _renewedAt = long.MinValue / 2;
    private long _lastLine = long.MinValue, _lastDefect = long.MinValue;

    public RedisConnection(
        IOptionsMonitor<ConnectionStringOptions> connections, IOptionsMonitor<RedisOptions> timing,
        RedisMetrics metrics, ILogger<RedisConnection> logger)
    {
        (_timing, _metrics, _logger, Prefix) = (timing, metrics, logger, timing.CurrentValue.Prefix);
        IsConfigured = connections.CurrentValue.Redis is { Length: > 0 };
        metrics.Observe(() => Trouble?.Name, IsConfigured ? Troubles : []);
        _certificates = new Certificates(() => timing.CurrentValue.TlsFiles(), logger);
        _links = new RedisLinks(
            () => connections.CurrentValue.Redis, () => timing.CurrentValue, Prefix, _certificates);
    }

    /// <summary>Raised when Redis becomes unavailable.</summary>
    public event Action? Lost;

    /// <summary>Raised when Redis becomes available.</summary>
    public event Action? Returned;

    public bool IsConfigured { get; }

    public bool IsAvailable => _available;

    /// <summary>The prefix of all keys and channels. <see cref="IDatabase"/> adds it to each key.</summary>
    public string Prefix { get; }

    /// <summary>Creates the time budget of one request.</summary>
    public TimeBudget NewTimeBudget() => new(_timing.CurrentValue.Timeout);

    /// <summary>
    /// Sends commands to Redis, if it is available. Neither a failure of Redis nor a defect in <paramref name="ask"/>
    /// is thrown.
    /// </summary>
    /// <returns>Null also if there was no reply.</returns>
    public async ValueTask<T?> TryAsync<T>(Func<IDatabase, Task<T?>> ask, TimeBudget budget) where T : class
    {
        if (!_available) return null;
        try
        {
            return await AskAsync(ask, budget);
        }
        catch (RedisServerException e)
        {
            // Redis answers, but is out of memory, read-only or loading.
            NoteRefusal(e);
        }
        catch (Exception e) when (IsFailure(e))
        {
            MarkUnavailable(e);
        }
        catch (Exception e)
        {
            // This request goes on without Redis. Redis itself has not failed, so other requests keep using it.
            ReportDefect(e);
        }
        return null;
    }

    /// <summary>Sends commands to Redis, even if it is not known to be available.</summary>
    /// <exception cref="RedisException">
    /// Redis is away, or refuses the command. <see cref="IsFailure"/> lists further exceptions.
    /// </exception>
    public async Task<T?> AskAsync<T>(Func<IDatabase, Task<T?>> ask, TimeBudget budget) where T : class
    {
        var started = Stopwatch.GetTimestamp();
        Exception? failure = null;
        try
        {
            return await budget.WaitAsync(_links.Current is { } link ? ask(link.Database) : AskOnceConnectedAsync());
        }
        catch (Exception e)
        {
            failure = e;
            throw;
        }
        finally
        {
            _metrics.Asked(Stopwatch.GetElapsedTime(started), failure);
        }

        async Task<T?> AskOnceConnectedAsync() => await ask((await _links.GetAsync()).Database);
    }

    /// <summary>Whether Redis answers fast enough for all trips of a request within its time budget.</summary>
    /// <exception cref="RedisException">Redis is away.</exception>
    public async Task<bool> IsPromptAsync()
    {
        var started = Stopwatch.GetTimestamp();
        await AskAsync<object>(async database => await database.PingAsync(), NewTimeBudget());
        return Stopwatch.GetElapsedTime(started) <= _timing.CurrentValue.Timeout / MaxTripsPerRequest;
    }

    /// <summary>The current connection; null while there is none.</summary>
    public RedisLink? Link => _links.Current;

    /// <summary>Returns the current connection. The first call connects.</summary>
    /// <exception cref="RedisException">No sentinel knows the master.</exception>
    public Task<RedisLink> LinkAsync() => _links.GetAsync();

    /// <summary>Listens to a channel. Exceptions of the handler are logged.</summary>
    /// <param name="channel">The name, without the prefix.</param>
    public void Listen(string channel, Action<string> handle) => _links.Listen(channel, (_, message) =>
    {
        try
        {
            handle(message.ToString());
        }
        catch (Exception e)
        {
            // The client would ignore it.
            ReportDefect(e);
        }
    });

    /// <summary>Subscribes to the channels of all listeners. Without the right to, nodes find changes later.</summary>
    /// <exception cref="RedisException">Redis is away.</exception>
    public async Task SubscribeAsync()
    {
        try
        {
            await _links.SubscribeAsync();
            _mayNotListen = false;
        }
        catch (RedisServerException e) when (e.Message.StartsWith("NOPERM", StringComparison.Ordinal))
        {
            if (!_mayNotListen) Log.NoChannels(_logger, Prefix, e.Message);
            _mayNotListen = true;
        }
    }

    /// <summary>
    /// Connects again in the background if the address has changed, or if Redis may have another master: it is away, or
    /// has become a replica.
    /// </summary>
    public void RenewIfNeeded()
    {
        var isOutdated = _links.IsOutdated;
        if (!_renewing.IsCompleted || (_available && !_isReplica && !isOutdated)) return;
        var now = Environment.TickCount64;
        if (now - Interlocked.Read(ref _renewedAt) < BetweenRenewals.TotalMilliseconds) return;
        // The first connection is still being made.
        if (_links.Current is null) return;
        Interlocked.Exchange(ref _renewedAt, now);
        _renewing = RenewAsync(isOutdated);
    }

    /// <summary>Notes that Redis has taken a write.</summary>
    public void NoteWrite() => (_refusal, _isReplica) = (null, false);

    /// <summary>Notes that Redis has refused a command, and why.</summary>
    public void NoteRefusal(RedisServerException why)
    {
        var code = IsDenial(why) ? "NOPERM" : why.Message.Split(' ')[0];
        _metrics.Refused(code);
        if (code is "READONLY") _isReplica = true;
        NoteDenial(why);
        if (code is "READONLY" or "OOM" or "MISCONF" or "NOREPLICAS" or "CLUSTERDOWN") _refusal = code;
        Report("Redis refused a command", why);
    }

    /// <summary>Marks Redis as available.</summary>
    /// <param name="link">The connection on which everything is up to date; null for the current one.</param>
    public void MarkAvailable(RedisLink? link = null)
    {
        lock (_renewal)
        {
            if (_available || (link is not null && link != _links.Current)) return;
            _available = true;
        }
        if (MayLog(ref _lastLine)) Log.Found(_logger);
        Raise(Returned);
    }

    /// <summary>Marks Redis as unavailable.</summary>
    public void MarkUnavailable(Exception why)
    {
        var wasAvailable = _available;
        NoteDenial(why);
        _available = false;
        if (wasAvailable) Raise(Lost);
        Report("Redis is away; this node uses its memory only until Redis is back", why);
    }

    /// <summary>
    /// Whether an exception means that Redis or the connection to it fails. Any other exception is a defect of the
    /// gateway. The client throws <see cref="RedisCommandException"/>, which is not a <see cref="RedisException"/>, if
    /// no server can take a command. <see cref="ObjectDisposedException"/> and cancellations occur while a node stops.
    /// </summary>
    public static bool IsFailure(Exception e) =>
        e is RedisException or RedisCommandException or TimeoutException or SocketException or IOException
            or ObjectDisposedException or OperationCanceledException;

    /// <summary>Logs a defect of the gateway with its stack, at most once a second.</summary>
    public void ReportDefect(Exception defect)
    {
        if (MayLog(ref _lastDefect)) Log.Defect(_logger, defect);
    }

    public void Dispose()
    {
        _available = false;
        _links.Dispose();
    }

    private async Task RenewAsync(bool isOutdated)
    {
        try
        {
            if (await _links.ConnectAgainAsync() is not { } next) return;
            bool wasAvailable;
            lock (_renewal)
            {
                wasAvailable = _available;
                // The other server may have lost data, so the watch brings everything up to date first.
                (_available, _isReplica, _refusal) = (false, false, null);
                _links.Use(next);
                if (isOutdated) ForgetDenials();
            }
            Log.Renewed(_logger);
            if (wasAvailable) Raise(Lost);
        }
        catch (Exception e) when (IsFailure(e))
        {
            if (isOutdated) Report("Redis refuses a connection with the new configuration; the old one stays", e);
        }
        catch (Exception e)
        {
            ReportDefect(e);
        }
    }

    // An exception of one listener must not stop the other listeners or the watch.
    private void Raise(Action? listeners)
    {
        foreach (var listener in Delegate.EnumerateInvocationList(listeners))
        {
            try
            {
                listener();
            }
            catch (Exception e)
            {
                ReportDefect(e);
            }
        }
    }

    private void Report(string what, Exception why)
    {
        if (MayLog(ref _lastLine)) Log.Failed(_logger, what, _certificates.Explain(why) ?? why.Message);
    }

    private static bool MayLog(ref long lastLine)
    {
        var now = Environment.TickCount64;
        var last = Interlocked.Read(ref lastLine);
        return (last == long.MinValue || now - last >= LogInterval.TotalMilliseconds)
            && Interlocked.CompareExchange(ref lastLine, now, last) == last;
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Information, "Redis is available")]
        public static partial void Found(ILogger logger);

        [LoggerMessage(LogLevel.Information, "Connected to Redis")]
        public static partial void Renewed(ILogger logger);

        [LoggerMessage(LogLevel.Warning,
            "The user of Redis may not use the channels {Prefix}*, so purges and logouts reach other nodes late; "
            + "grant it these channels: {Problem}")]
        public static partial void NoChannels(ILogger logger, string prefix, string problem);

        [LoggerMessage(LogLevel.Warning, "{What}: {Problem}")]
        public static partial void Failed(ILogger logger, string what, string problem);

        [LoggerMessage(LogLevel.Error, "A defect of the gateway in its use of Redis; Redis itself is not affected")]
        public static partial void Defect(ILogger logger, Exception defect);
    }
}

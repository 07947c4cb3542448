using System.Diagnostics;
using System.Net.Sockets;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace Gateway.Redis;

/// <summary>
/// The connection to Redis, and whether Redis is available. After a failure, no request uses Redis until
/// <see cref="RedisWatch"/> finds it healthy again. A failing Redis then delays one request and not every request.
/// </summary>
internal sealed partial class RedisConnection : IDisposable
{
    /// <summary>The prefix of all keys and channels in Redis.</summary>
    public const string Prefix = "gateway:";

    private const int MaxTripsPerRequest = 4;

    private static readonly TimeSpan LogInterval = TimeSpan.FromSeconds(1);

    // The watch looks more often than this, unless the process is paused.
    private static readonly TimeSpan PauseThreshold = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan LongestCatchUp = TimeSpan.FromSeconds(2);

    private readonly IOptionsMonitor<RedisOptions> _timing;
    private readonly ILogger<RedisConnection> _logger;
    private readonly ConfigurationOptions? _options;
    private readonly Lazy<Task<IConnectionMultiplexer>> _connection;
    private volatile bool _available;
    private long _lastLine = long.MinValue, _lastDefect = long.MinValue;
    // Until the first look, the process counts as not paused.
    private long _lastLook = long.MaxValue;
    private long _resumedAt;

    public RedisConnection(
        IOptionsMonitor<ConnectionStringOptions> connections, IOptionsMonitor<RedisOptions> timing,
        ILogger<RedisConnection> logger)
    {
        _timing = timing;
        _logger = logger;
        _connection = new(ConnectAsync);
        if (connections.CurrentValue.Redis is not { Length: > 0 } connectionString) return;
        _options = Parse(connectionString);
        // A request gives up earlier, by its time budget. This timeout detects a dead connection.
        _options.AsyncTimeout = (int)Math.Max(1000, 2 * timing.CurrentValue.Timeout.TotalMilliseconds);
    }

    /// <summary>Raised when Redis becomes unavailable.</summary>
    public event Action? Lost;

    /// <summary>Raised when Redis becomes available.</summary>
    public event Action? Returned;

    public bool IsConfigured => _options is not null;

    public bool IsAvailable => _available;

    /// <summary>Parses a connection string, and sets the options that the gateway relies on.</summary>
    /// <exception cref="ArgumentException">The connection string is malformed.</exception>
    public static ConfigurationOptions Parse(string connectionString)
    {
        var options = ConfigurationOptions.Parse(connectionString);
        // The client reconnects in the background. Meanwhile, commands fail at once instead of queueing.
        options.AbortOnConnectFail = false;
        options.BacklogPolicy = BacklogPolicy.FailFast;
        options.ReconnectRetryPolicy = new LinearRetry(500);
        options.ConnectTimeout = 1000;
        options.HeartbeatInterval = TimeSpan.FromMilliseconds(500);
        options.ClientName ??= "gateway";
        return options;
    }

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
            Report("Redis refused a command", e);
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
    public Task<T?> AskAsync<T>(Func<IDatabase, Task<T?>> ask, TimeBudget budget) where T : class
    {
        var connection = _connection.Value;
        return budget.WaitAsync(
            connection.IsCompletedSuccessfully ? ask(connection.Result.GetDatabase()) : AskOnceConnectedAsync());

        async Task<T?> AskOnceConnectedAsync() => await ask((await connection).GetDatabase());
    }

    /// <summary>Whether Redis answers fast enough for all trips of a request within its time budget.</summary>
    /// <exception cref="RedisException">Redis is away.</exception>
    public async Task<bool> IsPromptAsync()
    {
        var started = Stopwatch.GetTimestamp();
        await AskAsync<object>(async database => await database.PingAsync(), NewTimeBudget());
        return Stopwatch.GetElapsedTime(started) <= _timing.CurrentValue.Timeout / MaxTripsPerRequest;
    }

    public async Task<IConnectionMultiplexer> MultiplexerAsync() => await _connection.Value;

    /// <summary>Marks Redis as available.</summary>
    public void MarkAvailable()
    {
        if (_available) return;
        _available = true;
        if (MayLog(ref _lastLine)) Log.Found(_logger);
        Raise(Returned);
    }

    /// <summary>Marks Redis as unavailable.</summary>
    public void MarkUnavailable(Exception why)
    {
        var wasAvailable = _available;
        _available = false;
        if (wasAvailable) Raise(Lost);
        Report("Redis is away; this node uses its memory only until Redis is back", why);
    }

    /// <summary>
    /// Notes that the watch has looked at Redis. After a pause of this process, a look may fail only because of the
    /// pause, so a failed look does not count until <see cref="LongestCatchUp"/> has passed.
    /// </summary>
    public void NoteLook()
    {
        var now = Environment.TickCount64;
        if (WasPaused() && _resumedAt < _lastLook) _resumedAt = now;
        if (!WasPaused() || _available || now - _resumedAt > LongestCatchUp.TotalMilliseconds)
        {
            Interlocked.Exchange(ref _lastLook, now);
        }
    }

    /// <summary>
    /// After a pause of this process, waits until the watch has found Redis healthy, for at most
    /// <see cref="LongestCatchUp"/>. After a pause, the state of this node is old, and a late reply does not mean that
    /// Redis fails.
    /// </summary>
    public Task WaitAfterPauseAsync() => IsConfigured && WasPaused() ? WaitForLookAsync() : Task.CompletedTask;

    /// <summary>
    /// Whether an exception means that Redis or the connection to it fails. Any other exception is a defect of the
    /// gateway. The client throws <see cref="RedisCommandException"/>, which is not a <see cref="RedisException"/>, if
    /// no server can take a command. <see cref="ObjectDisposedException"/> and cancellations occur while a node stops.
    /// </summary>
    public static bool IsFailure(Exception e) =>
        e is RedisException or RedisCommandException or TimeoutException or SocketException or IOException
            or ObjectDisposedException or OperationCanceledException;

    /// <summary>
    /// Wraps a handler of messages so that its exceptions are logged. The client would ignore them.
    /// </summary>
    public Action<RedisChannel, RedisValue> Guard(Action<string> handle) => (_, message) =>
    {
        try
        {
            handle(message.ToString());
        }
        catch (Exception e)
        {
            ReportDefect(e);
        }
    };

    /// <summary>Logs a defect of the gateway with its stack, at most once a second.</summary>
    public void ReportDefect(Exception defect)
    {
        if (MayLog(ref _lastDefect)) Log.Defect(_logger, defect);
    }

    public void Dispose()
    {
        _available = false;
        if (!_connection.IsValueCreated) return;
        if (_connection.Value is { IsCompletedSuccessfully: true } connected) connected.Result.Dispose();
    }

    private async Task<IConnectionMultiplexer> ConnectAsync() => await ConnectionMultiplexer.ConnectAsync(_options!);

    private async Task WaitForLookAsync()
    {
        var started = Stopwatch.GetTimestamp();
        while ((WasPaused() || !_available) && Stopwatch.GetElapsedTime(started) < LongestCatchUp)
        {
            await Task.Delay(20);
        }
    }

    private bool WasPaused() =>
        Environment.TickCount64 - Interlocked.Read(ref _lastLook) > PauseThreshold.TotalMilliseconds;

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
        if (MayLog(ref _lastLine)) Log.Failed(_logger, what, why.Message);
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

        [LoggerMessage(LogLevel.Warning, "{What}: {Problem}")]
        public static partial void Failed(ILogger logger, string what, string problem);

        [LoggerMessage(LogLevel.Error, "A defect of the gateway in its use of Redis; Redis itself is not affected")]
        public static partial void Defect(ILogger logger, Exception defect);
    }
}

using System.Diagnostics;
using System.Net.Sockets;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace Gateway.Redis;

/// <summary>
/// The one connection to Redis, and whether it is of use just now. After a failure it is left alone until
/// <see cref="RedisWatch"/> finds it well again, so that an ailing Redis costs one short wait and not one for each
/// request.
/// </summary>
internal sealed partial class RedisConnection : IDisposable
{
    /// <summary>What all names in Redis begin with.</summary>
    public const string Prefix = "gateway:";

    private const int TripsOfARequest = 4;

    private static readonly TimeSpan BetweenLines = TimeSpan.FromSeconds(1);

    // The watch looks more often than this, if it gets to run.
    private static readonly TimeSpan LongestNap = TimeSpan.FromSeconds(2), LongestCatchUp = TimeSpan.FromSeconds(2);

    private readonly IOptionsMonitor<RedisOptions> _timing;
    private readonly ILogger<RedisConnection> _logger;
    private readonly ConfigurationOptions? _options;
    private readonly Lazy<Task<IConnectionMultiplexer>> _connection;
    private volatile bool _available;
    private long _lastLine = long.MinValue, _lastDefect = long.MinValue;
    // Before the first look nothing is known that could be old.
    private long _lastLook = long.MaxValue;
    private long _wokeAt;

    public RedisConnection(
        IOptionsMonitor<ConnectionStringOptions> connections, IOptionsMonitor<RedisOptions> timing, ILogger<RedisConnection> logger)
    {
        _timing = timing;
        _logger = logger;
        _connection = new(ConnectAsync);
        if (connections.CurrentValue.Redis is not { Length: > 0 } connectionString) return;
        _options = Parse(connectionString);
        // Whoever waits gives up before that; then it is about connections that do not answer any more.
        _options.AsyncTimeout = (int)Math.Max(1000, 2 * timing.CurrentValue.Timeout.TotalMilliseconds);
    }

    /// <summary>Raised when it is of no use any longer.</summary>
    public event Action? Lost;

    /// <summary>Raised when it is of use again.</summary>
    public event Action? Returned;

    public bool IsConfigured => _options is not null;

    public bool IsAvailable => _available;

    /// <summary>Reads a connection string, and sets what this product relies on.</summary>
    /// <exception cref="ArgumentException">It is not one.</exception>
    public static ConfigurationOptions Parse(string connectionString)
    {
        var options = ConfigurationOptions.Parse(connectionString);
        // A Redis that is away is tried again in the background; meanwhile commands fail at once instead of piling up.
        options.AbortOnConnectFail = false;
        options.BacklogPolicy = BacklogPolicy.FailFast;
        options.ReconnectRetryPolicy = new LinearRetry(500);
        options.ConnectTimeout = 1000;
        options.HeartbeatInterval = TimeSpan.FromMilliseconds(500);
        options.ClientName ??= "gateway";
        return options;
    }

    /// <summary>The budget of one request.</summary>
    public TimeBudget NewTimeBudget() => new(_timing.CurrentValue.Timeout);

    /// <summary>
    /// Asks Redis, if it is available. Neither a failure of Redis nor a defect in <paramref name="ask"/> is thrown.
    /// </summary>
    /// <returns>Null also where there was no reply.</returns>
    public async ValueTask<T?> TryAsync<T>(Func<IDatabase, Task<T?>> ask, TimeBudget budget) where T : class
    {
        if (!_available) return null;
        try
        {
            return await AskAsync(ask, budget);
        }
        catch (RedisServerException e)
        {
            // It answers, but does not do this: out of memory, read-only, loading.
            Report("Redis refused a command", e);
        }
        catch (Exception e) when (IsFailure(e))
        {
            Lose(e);
        }
        catch (Exception e)
        {
            // This request goes on without Redis. The others keep it, for Redis has done nothing wrong.
            ReportDefect(e);
        }
        return null;
    }

    /// <summary>Asks Redis, whether or not it is known to be available.</summary>
    /// <exception cref="RedisException">
    /// It is away, or refuses; <see cref="IsFailure"/> knows what else there is.
    /// </exception>
    public Task<T?> AskAsync<T>(Func<IDatabase, Task<T?>> ask, TimeBudget budget) where T : class
    {
        var connection = _connection.Value;
        return budget.WaitAsync(connection.IsCompletedSuccessfully ? ask(connection.Result.GetDatabase()) : AskOnceConnectedAsync());

        async Task<T?> AskOnceConnectedAsync() => await ask((await connection).GetDatabase());
    }

    /// <summary>Whether the several trips of a request fit into its budget.</summary>
    /// <exception cref="RedisException">It is away.</exception>
    public async Task<bool> IsPromptAsync()
    {
        var started = Stopwatch.GetTimestamp();
        await AskAsync<object>(async database => await database.PingAsync(), NewTimeBudget());
        return Stopwatch.GetElapsedTime(started) <= _timing.CurrentValue.Timeout / TripsOfARequest;
    }

    public async Task<IConnectionMultiplexer> MultiplexerAsync() => await _connection.Value;

    /// <summary>Says that it is of use again.</summary>
    public void Found()
    {
        if (_available) return;
        _available = true;
        if (MayLog(ref _lastLine)) Log.Found(_logger);
        Raise(Returned);
    }

    /// <summary>Says that it is of no use for now.</summary>
    public void Lose(Exception why)
    {
        var wasAvailable = _available;
        _available = false;
        if (wasAvailable) Raise(Lost);
        Report("Redis is away; going on with memory alone until it is back", why);
    }

    /// <summary>
    /// Says that the watch has looked. After a nap, looks may fail for that alone, and then they do not count.
    /// </summary>
    public void Looked()
    {
        var now = Environment.TickCount64;
        if (HasSlept() && _wokeAt < _lastLook) _wokeAt = now;
        if (!HasSlept() || _available || now - _wokeAt > LongestCatchUp.TotalMilliseconds) Interlocked.Exchange(ref _lastLook, now);
    }

    /// <summary>
    /// Where this process has slept, the other nodes have gone on: what it knows is old, and that its replies from
    /// Redis are late says nothing of Redis. Waits until the watch has found Redis well, but not for long.
    /// </summary>
    public Task CatchUpAsync() => IsConfigured && HasSlept() ? WaitForLookAsync() : Task.CompletedTask;

    /// <summary>
    /// Whether an exception says that Redis, or the way to it, fails. Any other exception is a defect of the gateway,
    /// and says nothing of Redis. The client throws <see cref="RedisCommandException"/>, which is no <see
    /// cref="RedisException"/>, where no server can take a command; <see cref="ObjectDisposedException"/> and
    /// cancellations come while a node stops.
    /// </summary>
    public static bool IsFailure(Exception e) =>
        e is RedisException or RedisCommandException or TimeoutException or SocketException or IOException
            or ObjectDisposedException or OperationCanceledException;

    /// <summary>A handler of messages, for a subscription. The client would swallow what it throws.</summary>
    public Action<RedisChannel, RedisValue> Guard(Action<string> hear) => (_, message) =>
    {
        try
        {
            hear(message.ToString());
        }
        catch (Exception e)
        {
            ReportDefect(e);
        }
    };

    /// <summary>Logs a defect of the gateway with its stack, once a second at most.</summary>
    public void ReportDefect(Exception defect)
    {
        if (MayLog(ref _lastDefect)) Log.Defect(_logger, defect);
    }

    public void Dispose()
    {
        _available = false;
        if (_connection is { IsValueCreated: true, Value.IsCompletedSuccessfully: true }) _connection.Value.Result.Dispose();
    }

    private async Task<IConnectionMultiplexer> ConnectAsync() => await ConnectionMultiplexer.ConnectAsync(_options!);

    private async Task WaitForLookAsync()
    {
        var started = Stopwatch.GetTimestamp();
        while ((HasSlept() || !_available) && Stopwatch.GetElapsedTime(started) < LongestCatchUp) await Task.Delay(20);
    }

    private bool HasSlept() => Environment.TickCount64 - Interlocked.Read(ref _lastLook) > LongestNap.TotalMilliseconds;

    // A listener that throws keeps neither the others from hearing of it nor the watch from going on.
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

    // Whatever happens, it is one line of its kind a second at most.
    private static bool MayLog(ref long lastLine)
    {
        var now = Environment.TickCount64;
        var last = Interlocked.Read(ref lastLine);
        return (last == long.MinValue || now - last >= BetweenLines.TotalMilliseconds)
            && Interlocked.CompareExchange(ref lastLine, now, last) == last;
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Information, "Redis is there")]
        public static partial void Found(ILogger logger);

        [LoggerMessage(LogLevel.Warning, "{What}: {Problem}")]
        public static partial void Failed(ILogger logger, string what, string problem);

        [LoggerMessage(LogLevel.Error, "A defect of the gateway in its work with Redis; Redis itself is not affected")]
        public static partial void Defect(ILogger logger, Exception defect);
    }
}

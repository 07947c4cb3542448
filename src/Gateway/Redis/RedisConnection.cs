using Gateway.Configuration;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Caching.StackExchangeRedis;
using StackExchange.Redis;

namespace Gateway.Redis;

/// <summary>The one connection to Redis, and what is built on it. Where none is configured it is empty.</summary>
internal sealed partial class RedisConnection : IHostedService, IDisposable
{
    /// <summary>What Redis may add to one request.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(500);

    /// <summary>After a failure Redis is left alone for this long.</summary>
    public static readonly TimeSpan PauseAfterFailure = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan PatienceAtStart = TimeSpan.FromSeconds(5);

    // Before the names that the cache gives its entries.
    private const string KeyPrefix = "gateway:";

    private readonly ConfigurationOptions? _options;
    private readonly ILogger<RedisConnection> _logger;
    private readonly Lazy<Task<IConnectionMultiplexer>> _connection;

    public RedisConnection(LiveConfiguration configuration, ILogger<RedisConnection> logger)
    {
        _logger = logger;
        _connection = new(ConnectAsync);
        if (configuration.Current.ConnectionStrings.Redis is not { Length: > 0 } connectionString) return;
        _options = Parse(connectionString);
        Cache = new RedisCache(new RedisCacheOptions
        {
            InstanceName = KeyPrefix,
            ConnectionMultiplexerFactory = () => _connection.Value,
        });
    }

    /// <summary>Null where no Redis is configured.</summary>
    public IDistributedCache? Cache { get; }

    public bool IsConfigured => _options is not null;

    public bool IsConnected => _connection is { IsValueCreated: true, Value: { IsCompletedSuccessfully: true, Result.IsConnected: true } };

    /// <summary>Reads a connection string, and sets what this product relies on.</summary>
    /// <exception cref="ArgumentException">It is not one.</exception>
    public static ConfigurationOptions Parse(string connectionString)
    {
        var options = ConfigurationOptions.Parse(connectionString);
        // A Redis that is away is tried again in the background; meanwhile commands fail at once instead of piling up.
        options.AbortOnConnectFail = false;
        options.BacklogPolicy = BacklogPolicy.FailFast;
        // A Redis that accepts and does not answer is a failure as soon as patience ends; the heartbeat notices it.
        options.AsyncTimeout = options.SyncTimeout = (int)Patience.TotalMilliseconds;
        options.HeartbeatInterval = Patience / 2;
        options.ClientName ??= "gateway";
        return options;
    }

    /// <summary>Connects before the first request, but starts without Redis where it is away.</summary>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (Cache is null) return;
        try
        {
            // The first trip is the slow one: it is not to be a caller's.
            await Cache.GetAsync("warm-up", cancellationToken).WaitAsync(PatienceAtStart, cancellationToken);
            Log.Connected(_logger);
        }
        catch (Exception e) when (e is RedisException or TimeoutException)
        {
            Log.Away(_logger, e.Message);
        }
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public void Dispose()
    {
        (Cache as IDisposable)?.Dispose();
        if (_connection.IsValueCreated && _connection.Value.IsCompletedSuccessfully) _connection.Value.Result.Dispose();
    }

    private async Task<IConnectionMultiplexer> ConnectAsync() => await ConnectionMultiplexer.ConnectAsync(_options!);

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Information, "Connected to Redis")]
        public static partial void Connected(ILogger logger);

        [LoggerMessage(LogLevel.Warning, "Redis is away; going on with memory alone until it is back: {Problem}")]
        public static partial void Away(ILogger logger, string problem);
    }
}

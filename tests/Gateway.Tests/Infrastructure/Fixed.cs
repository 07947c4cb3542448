using System.Diagnostics.Metrics;
using Gateway.Limits;
using Gateway.Redis;
using Microsoft.Extensions.Caching.StackExchangeRedis;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Gateway.Tests.Infrastructure;

/// <summary>Options that never change.</summary>
internal sealed class Fixed<T>(T options) : IOptionsMonitor<T>
{
    public T CurrentValue => options;

    public T Get(string? name) => options;

    public IDisposable? OnChange(Action<T, string?> listener) => null;
}

internal static class Fixed
{
    public static Fixed<T> Of<T>(T options) => new(options);

    /// <summary>
    /// A connection that is opened on first use. Its timeout is long, because the machine may be busy.
    /// </summary>
    /// <param name="connectionString">The connection string, or empty if Redis is not configured.</param>
    public static RedisConnection Redis(string connectionString, ILogger<RedisConnection>? logger = null) => new(
        Of(new ConnectionStringOptions { Redis = connectionString }),
        Of(new RedisOptions { Timeout = TimeSpan.FromSeconds(5) }),
        new RedisMetrics(Meters()), logger ?? NullLogger<RedisConnection>.Instance);

    /// <summary>A factory of meters that nobody reads.</summary>
    public static IMeterFactory Meters() =>
        new ServiceCollection().AddMetrics().BuildServiceProvider().GetRequiredService<IMeterFactory>();

    /// <summary>The quotas that nodes share. A node that cannot count the others assumes that there are none.</summary>
    public static SharedQuotas Quotas(RedisConnection redis) =>
        new(redis, new NodeCount(redis, Of(new RedisOptions { AssumedNodes = 1 })));

    /// <summary>The distributed cache of finished jobs over a connection.</summary>
    public static RedisCache Cache(RedisConnection redis) => new(new RedisCacheOptions
    {
        InstanceName = redis.Prefix,
        ConnectionMultiplexerFactory = async () => (await redis.LinkAsync()).Multiplexer,
    });
}

using Gateway.Redis;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Caching.StackExchangeRedis;

namespace Gateway.Caching;

/// <summary>
/// The distributed cache on the current connection to Redis. <see cref="RedisCache"/> keeps the connection that it
/// began with, so each connection gets a cache of its own.
/// </summary>
internal sealed class CurrentRedisCache(RedisConnection redis) : IDistributedCache
{
    private volatile Cache? _current;

    public async Task<byte[]?> GetAsync(string key, CancellationToken token = default) =>
        await (await FindAsync()).GetAsync(key, token);

    public async Task SetAsync(
        string key, byte[] value, DistributedCacheEntryOptions options, CancellationToken token = default) =>
        await (await FindAsync()).SetAsync(key, value, options, token);

    public async Task RefreshAsync(string key, CancellationToken token = default) =>
        await (await FindAsync()).RefreshAsync(key, token);

    public async Task RemoveAsync(string key, CancellationToken token = default) =>
        await (await FindAsync()).RemoveAsync(key, token);

    public byte[] Get(string key) => throw Blocking();

    public void Set(string key, byte[] value, DistributedCacheEntryOptions options) => throw Blocking();

    public void Refresh(string key) => throw Blocking();

    public void Remove(string key) => throw Blocking();

    private static NotSupportedException Blocking() => new("Calls that block a thread are not supported.");

    private async ValueTask<RedisCache> FindAsync()
    {
        var link = await redis.LinkAsync();
        if (_current is { } current && current.Link == link) return current.Redis;
        var made = new RedisCache(new RedisCacheOptions
        {
            InstanceName = redis.Prefix,
            ConnectionMultiplexerFactory = () => Task.FromResult(link.Multiplexer),
        });
        _current = new Cache(link, made);
        return made;
    }

    private sealed record Cache(RedisLink Link, RedisCache Redis);
}

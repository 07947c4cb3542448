using Gateway.Configuration;
using Gateway.Operations;
using Gateway.Redis;
using Microsoft.Extensions.Caching.Memory;
using ZiggyCreatures.Caching.Fusion;

namespace Gateway.Jobs;

/// <summary>
/// Where snapshots are: in memory, and in Redis where one is configured. It keeps values and judges no freshness; a
/// snapshot is kept for as long as it may be of use, and says itself how fresh it is.
/// </summary>
internal sealed class JobCache : IDisposable
{
    private readonly LiveConfiguration _configuration;
    private readonly GatewayMetrics _metrics;
    private readonly MemoryCache _memory;
    private readonly FusionCache _cache;
    private readonly bool _shared;

    public JobCache(
        LiveConfiguration configuration, RedisConnection redis, GatewayMetrics metrics, ILogger<FusionCache> logger)
    {
        _configuration = configuration;
        _metrics = metrics;
        _memory = new MemoryCache(new MemoryCacheOptions
        {
            SizeLimit = configuration.Current.Jobs.MemoryBytes,
            TrackStatistics = true,
        });
        metrics.ObserveMemory(() => MemoryBytes);
        _cache = new FusionCache(new FusionCacheOptions
        {
            CacheName = "jobs",
            // Nothing is tagged; with tagging on each look-up also reads the tags' times.
            DisableTagging = true,
            EnableBestPracticesAdvisor = false,
            // While Redis fails it is left alone for a moment.
            DistributedCacheCircuitBreakerDuration = RedisConnection.PauseAfterFailure,
        }, _memory, logger);
        if (redis.Cache is { } shared)
        {
            _cache.SetupDistributedCache(shared, new SnapshotSerializer(metrics));
            _shared = true;
        }
    }

    /// <summary>What the snapshots in this node's memory weigh.</summary>
    public long MemoryBytes => _memory.GetCurrentStatistics()?.CurrentEstimatedSize ?? 0;

    /// <summary>What this node's memory has, finished jobs first. It neither waits nor leaves the process.</summary>
    public JobSnapshot? FindInMemory(in JobKey key)
    {
        if (Try(key.Finished) is { } finished) return finished;
        return Try(key.Live);

        // A value that is not filed under this name was put there a moment ago, and is about to be thrown out.
        JobSnapshot? Try(string name) =>
            _cache.TryGet<JobSnapshot?>(name, MemoryOnly).GetValueOrDefault(null) is { } found && found.Key == name ? found : null;
    }

    /// <summary>
    /// What any node has. The live snapshot is read from Redis even where memory has one, for another node's may be newer.
    /// </summary>
    public async ValueTask<JobSnapshot?> FindAsync(JobKey key)
    {
        if (!_shared) return FindInMemory(key);
        if (await TryAsync(key.Finished, Shared) is { } finished) return finished;
        // Read first: what comes from Redis takes its place in memory.
        var mine = FindInMemory(key);
        return Newer(await TryAsync(key.Live, SharedOnly), mine);
    }

    /// <summary>Keeps a snapshot for as long as it may be of use.</summary>
    public async ValueTask StoreAsync(JobSnapshot snapshot)
    {
        var retention = snapshot.Retention(_configuration.Current.Jobs.StaleIfError);
        if (retention <= TimeSpan.Zero) return;
        await _cache.SetAsync(snapshot.Key, snapshot, EntryOptions(options =>
        {
            options.Duration = retention;
            options.Size = snapshot.Size;
        }));
    }

    public void Dispose()
    {
        _cache.Dispose();
        _memory.Dispose();
    }

    private async ValueTask<JobSnapshot?> TryAsync(string name, FusionCacheEntryOptions options)
    {
        var found = (await _cache.TryGetAsync<JobSnapshot?>(name, options)).GetValueOrDefault(null);
        if (found is null || found.Key == name) return found;
        _metrics.StoredValueRejected("foreign");
        _cache.Remove(name, MemoryOnly);
        return null;
    }

    private static JobSnapshot? Newer(JobSnapshot? one, JobSnapshot? other) =>
        one is null || other?.FetchedAt > one.FetchedAt ? other ?? one : one;

    private static readonly FusionCacheEntryOptions Shared = EntryOptions(_ => { });

    private static readonly FusionCacheEntryOptions SharedOnly = EntryOptions(options => options.SkipMemoryCacheRead = true);

    private static readonly FusionCacheEntryOptions MemoryOnly = EntryOptions(options =>
    {
        options.SkipDistributedCacheRead = true;
        options.SkipDistributedCacheWrite = true;
    });

    private static FusionCacheEntryOptions EntryOptions(Action<FusionCacheEntryOptions> set)
    {
        var options = new FusionCacheEntryOptions
        {
            // What memory refuses for want of room is still in Redis.
            Size = 1,
            DistributedCacheHardTimeout = RedisConnection.Patience,
            ReThrowDistributedCacheExceptions = false,
            ReThrowSerializationExceptions = false,
        };
        set(options);
        return options;
    }
}

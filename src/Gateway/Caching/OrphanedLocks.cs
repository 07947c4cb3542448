using System.Collections.Concurrent;
using Gateway.Redis;
using StackExchange.Redis;

namespace Gateway.Caching;

/// <summary>
/// The fetch locks that this node could not release because Redis failed. The node removes them when Redis is back, so
/// that no other node waits for a fetch that has ended. A lock that has expired meanwhile is forgotten.
/// </summary>
internal sealed class OrphanedLocks(RedisConnection redis) : IRedisParticipant
{
    private static readonly string Remove = ScriptFile.Read("remove-lock");

    private const int AtOnce = 200;

    // No fetch lock lasts longer than the longest Upstream:Timeout.
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(6);

    private readonly ConcurrentDictionary<(RedisKey Lock, string Prefix), long> _orphans = new();

    /// <summary>Adds a fetch lock that may still exist.</summary>
    /// <param name="prefix">The beginning of the lock's value, which no other lock has.</param>
    public void Add(RedisKey @lock, string prefix) => _orphans[(@lock, prefix)] = Environment.TickCount64;

    /// <summary>Removes the orphaned locks. A lock that cannot be removed is tried again next time.</summary>
    public async Task CatchUpAsync()
    {
        foreach (var some in _orphans.ToArray().Chunk(AtOnce))
        {
            var removed = await Task.WhenAll(some.Select(orphan => RemoveAsync(orphan.Key)));
            foreach (var (orphan, isRemoved) in some.Zip(removed))
            {
                var hasExpired = Environment.TickCount64 - orphan.Value > Longest.TotalMilliseconds;
                if (isRemoved || hasExpired) _orphans.TryRemove(orphan);
            }
        }
    }

    private async Task<bool> RemoveAsync((RedisKey Lock, string Prefix) orphan)
    {
        try
        {
            await redis.AskAsync<RedisResult>(
                async database => await database.ScriptEvaluateAsync(Remove, [orphan.Lock], [orphan.Prefix]),
                redis.NewTimeBudget());
            return true;
        }
        catch (Exception e)
        {
            if (!RedisConnection.IsFailure(e)) redis.ReportDefect(e);
            return false;
        }
    }
}

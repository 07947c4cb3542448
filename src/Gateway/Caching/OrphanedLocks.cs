using System.Collections.Concurrent;
using Gateway.Redis;
using StackExchange.Redis;

namespace Gateway.Caching;

/// <summary>
/// The fetch locks that this node could not release because Redis did not answer, or refused. They are removed as soon
/// as it does, so that nobody waits for a fetch that is long over, and forgotten when they have ended by themselves.
/// </summary>
internal sealed class OrphanedLocks(RedisConnection redis) : IRedisParticipant
{
    private static readonly string Remove = ScriptFile.Read("remove-lock");

    private const int AtOnce = 200;

    // No fetch lock lasts longer than the longest Upstream:Timeout.
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(6);

    private readonly ConcurrentDictionary<(RedisKey Lock, string Beginning), long> _left = new();

    /// <summary>Notes a fetch lock that may still be there.</summary>
    /// <param name="beginning">How its lock begins; this is nobody else's.</param>
    public void Add(RedisKey @lock, string beginning) => _left[(@lock, beginning)] = Environment.TickCount64;

    /// <summary>Ends what it can. Where Redis is not well for all of them, the rest is left for another time.</summary>
    public async Task CatchUpAsync()
    {
        foreach (var some in _left.ToArray().Chunk(AtOnce))
        {
            var ended = await Task.WhenAll(some.Select(orphan => EndAsync(orphan.Key)));
            foreach (var (orphan, hasEnded) in some.Zip(ended))
            {
                if (hasEnded || Environment.TickCount64 - orphan.Value > Longest.TotalMilliseconds) _left.TryRemove(orphan);
            }
        }
    }

    private async Task<bool> EndAsync((RedisKey Lock, string Beginning) orphan)
    {
        try
        {
            await redis.AskAsync<RedisResult>(
                async database => await database.ScriptEvaluateAsync(Remove, [orphan.Lock], [orphan.Beginning]), redis.NewTimeBudget());
            return true;
        }
        catch (Exception e)
        {
            // There is another time, until the lock has ended by itself.
            if (!RedisConnection.IsFailure(e)) redis.ReportDefect(e);
            return false;
        }
    }
}

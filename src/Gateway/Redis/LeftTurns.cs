using System.Collections.Concurrent;
using StackExchange.Redis;

namespace Gateway.Redis;

/// <summary>
/// The turns that this node could not end because Redis did not answer, or refused. They are ended as soon as it does,
/// so that nobody waits for a fetch that is long over, and forgotten when they have ended by themselves.
/// </summary>
internal sealed class LeftTurns(RedisConnection redis)
{
    private const string End = """
        local held = redis.pcall('GET', KEYS[1])
        if type(held) ~= 'string' or string.find(held, ARGV[1], 1, true) ~= 1 then return 0 end
        return redis.call('DEL', KEYS[1])
        """;

    private const int AtOnce = 200;

    // No turn lasts longer than the longest Upstream:Timeout.
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(6);

    private readonly ConcurrentDictionary<(RedisKey Lock, string Beginning), long> _left = new();

    /// <summary>Takes note of a turn that may still be there.</summary>
    /// <param name="beginning">How its lock begins; this is nobody else's.</param>
    public void Add(RedisKey @lock, string beginning) => _left[(@lock, beginning)] = Environment.TickCount64;

    /// <summary>Ends what it can. Where Redis is not well for all of them, the rest is left for another time.</summary>
    public async Task EndAsync()
    {
        foreach (var some in _left.ToArray().Chunk(AtOnce))
        {
            var ended = await Task.WhenAll(some.Select(turn => EndAsync(turn.Key)));
            foreach (var (turn, hasEnded) in some.Zip(ended))
            {
                if (hasEnded || Environment.TickCount64 - turn.Value > Longest.TotalMilliseconds) _left.TryRemove(turn);
            }
        }
    }

    private async Task<bool> EndAsync((RedisKey Lock, string Beginning) turn)
    {
        try
        {
            await redis.AskAsync<RedisResult>(
                async database => await database.ScriptEvaluateAsync(End, [turn.Lock], [turn.Beginning]), redis.NewPatience());
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

using System.Collections.Concurrent;
using StackExchange.Redis;

namespace Gateway.Redis;

/// <summary>
/// The turns that this node could not end because Redis did not answer, or refused. They are ended as soon as it does,
/// so that nobody waits for a fetch that is long over.
/// </summary>
internal sealed class LeftTurns(RedisConnection redis)
{
    private const string End = """
        local held = redis.pcall('GET', KEYS[1])
        if type(held) ~= 'string' or string.find(held, ARGV[1], 1, true) ~= 1 then return 0 end
        return redis.call('DEL', KEYS[1])
        """;

    private readonly ConcurrentDictionary<(RedisKey Lock, string Beginning), bool> _left = new();

    /// <summary>Takes note of a turn that may still be there.</summary>
    /// <param name="beginning">How its lock begins; this is nobody else's.</param>
    public void Add(RedisKey @lock, string beginning) => _left[(@lock, beginning)] = true;

    /// <exception cref="RedisException">Redis is away.</exception>
    public async Task EndAsync()
    {
        foreach (var turn in _left.Keys)
        {
            try
            {
                await redis.AskAsync<RedisResult>(
                    async database => await database.ScriptEvaluateAsync(End, [turn.Lock], [turn.Beginning]), redis.NewPatience());
                _left.TryRemove(turn, out _);
            }
            catch (RedisServerException)
            {
                // It is read-only, or the like: another time.
                return;
            }
        }
    }
}

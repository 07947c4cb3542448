using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace Gateway.Redis;

/// <summary>
/// Counts the live nodes. Each look of <see cref="RedisWatch"/> reports this node to Redis, which also shows whether
/// Redis takes writes. A node that cannot count uses the last number that it or Redis knows, and otherwise
/// <see cref="RedisOptions.AssumedNodes"/>. It never takes itself for the only node.
/// </summary>
internal sealed class NodeCount(RedisConnection redis, IOptionsMonitor<RedisOptions> options) : IRedisParticipant
{
    private static readonly RedisKey Key = "nodes";

    private static readonly string Count = ScriptFile.Read("count-nodes");

    private static readonly TimeSpan Timeout = TimeSpan.FromMilliseconds(500);

    private readonly string _node = Guid.NewGuid().ToString("N");
    private int _known;

    /// <summary>The number of nodes, at least 1. Without a configured Redis, it is 1.</summary>
    public int Value => !redis.IsConfigured ? 1
        : Volatile.Read(ref _known) is var known and > 0 ? known : options.CurrentValue.AssumedNodes;

    /// <exception cref="RedisException">Redis is away.</exception>
    public async Task SyncAsync(bool wasAway)
    {
        try
        {
            Know((int)(await redis.AskAsync<RedisResult>(
                async database => await database.ScriptEvaluateAsync(Count, [Key], [_node]),
                new TimeBudget(Timeout)))!);
            redis.NoteWrite();
        }
        catch (RedisServerException e)
        {
            redis.NoteRefusal(e);
            // The set is as it was when Redis took its last write.
            if (_known == 0) Know((int)await ReadAsync());
        }
    }

    private async Task<long> ReadAsync()
    {
        long count = 0;
        await redis.AskAsync<object>(async database => count = await database.SortedSetLengthAsync(Key),
            new TimeBudget(Timeout));
        return count;
    }

    private void Know(int count)
    {
        if (count > 0) Volatile.Write(ref _known, count);
    }
}

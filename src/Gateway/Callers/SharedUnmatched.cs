using System.Text.Json;
using Gateway.Redis;
using StackExchange.Redis;

namespace Gateway.Callers;

/// <summary>
/// Shares the callers without a team: each node stores its own list in Redis, at most every few seconds, and reads the
/// lists of the others when an operator asks. A list lives for a day, also if its node has stopped.
/// </summary>
internal sealed class SharedUnmatched(UnmatchedCallers callers, RedisConnection redis, TimeProvider clock)
    : IRedisParticipant
{
    /// <summary>The largest list in Redis. The callers that were refused longest ago are left out.</summary>
    public const int LargestList = 128 * 1024;

    // The lists that are read, the latest first. A node that starts again has another name.
    private const int MostLists = 32;

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5), Timeout = TimeSpan.FromSeconds(2);

    private static readonly RedisKey Nodes = "unmatched";

    private static readonly JsonSerializerOptions Strict = new()
    {
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
    };

    private readonly string _node = Guid.NewGuid().ToString("N");
    private long _sent, _sentAt;

    /// <summary>Notes that Redis may have lost the list of this node.</summary>
    public Task SyncAsync(bool wasAway)
    {
        if (wasAway) _sent = 0;
        return Task.CompletedTask;
    }

    /// <summary>Stores the list of this node if it has changed.</summary>
    public async Task CatchUpAsync()
    {
        var noted = callers.Noted;
        if (noted == _sent || (_sentAt != 0 && clock.GetElapsedTime(_sentAt) < Interval)) return;
        _sentAt = clock.GetTimestamp();
        var (list, now) = (Write(callers.All), clock.GetUtcNow().ToUnixTimeSeconds());
        var reply = await redis.TryAsync(async database =>
        {
            await Task.WhenAll(
                database.StringSetAsync(KeyOf(_node), list, UnmatchedCallers.Kept),
                database.SortedSetAddAsync(Nodes, _node, now),
                database.SortedSetRemoveRangeByScoreAsync(
                    Nodes, double.NegativeInfinity, now - UnmatchedCallers.Kept.TotalSeconds),
                database.KeyExpireAsync(Nodes, UnmatchedCallers.Kept));
            return this;
        }, new TimeBudget(Timeout));
        if (reply is not null) _sent = noted;
    }

    /// <summary>Returns the last callers of all nodes, the latest first.</summary>
    /// <returns>Null if Redis is not available.</returns>
    public async Task<IReadOnlyList<UnmatchedCaller>?> ReadAsync()
    {
        var lists = await redis.TryAsync(async database =>
        {
            var nodes = await database.SortedSetRangeByRankAsync(Nodes, 0, MostLists - 1, Order.Descending);
            return await Task.WhenAll(
                nodes.Where(node => node != _node).Select(node => database.StringGetAsync(KeyOf(node.ToString()))));
        }, new TimeBudget(Timeout).For(MostLists * LargestList));
        return lists is null ? null : Merge([.. callers.All, .. lists.SelectMany(Read)]);
    }

    /// <summary>Adds up what several nodes know about one caller.</summary>
    public static IReadOnlyList<UnmatchedCaller> Merge(IReadOnlyCollection<UnmatchedCaller> all) =>
        [.. (from caller in all
             group caller by (caller.Issuer, caller.Subject) into same
             let latest = same.MaxBy(one => one.LastAt)
             orderby latest.LastAt descending
             select latest with
             {
                 Refusals = same.Sum(one => one.Refusals),
                 FirstAt = same.Min(one => one.FirstAt),
             }).Take(UnmatchedCallers.Most)];

    /// <summary>Writes as many callers as fit into <see cref="LargestList"/>, the first ones.</summary>
    public static byte[] Write(IEnumerable<UnmatchedCaller> callers)
    {
        var left = LargestList;
        return JsonSerializer.SerializeToUtf8Bytes(callers.Select(caller => JsonSerializer.SerializeToElement(caller))
            .TakeWhile(caller => (left -= caller.GetRawText().Length + 1) >= 0).ToList());
    }

    /// <summary>Reads a value of <see cref="Write"/>. Any other value has no callers.</summary>
    public static IEnumerable<UnmatchedCaller> Read(RedisValue stored)
    {
        try
        {
            return stored.IsNull ? []
                : (JsonSerializer.Deserialize<UnmatchedCaller?[]>((byte[])stored!, Strict) ?? [])
                    .OfType<UnmatchedCaller>();
        }
        catch (JsonException)
        {
            return [];
        }
    }

    private static RedisKey KeyOf(string node) => $"unmatched:{node}";
}

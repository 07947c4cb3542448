using System.Globalization;
using Gateway.Redis;
using Gateway.Telemetry;
using StackExchange.Redis;

namespace Gateway.Usage;

/// <summary>
/// The use of all nodes, in Redis: a hash for each hour, and the last use of each key. Each node adds its increments
/// every few seconds. While Redis is away, a node keeps them, and adds them later to the hours in which they were
/// counted.
/// </summary>
internal sealed class SharedUsage(UsageBook book, RedisConnection redis, TimeProvider clock) : IDisposable
{
    private const int HoursAtOnce = 24;

    private static readonly TimeSpan Lifetime = TimeSpan.FromDays(8), LastUseKept = TimeSpan.FromDays(400);

    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(2);

    private static readonly string AddUsage = ScriptFile.Read("add-usage");

    // The braces put all keys into one slot of a Redis Cluster.
    private static readonly RedisKey Last = "{usage}:last";

    private readonly string _node = Guid.NewGuid().ToString("N");
    private readonly SemaphoreSlim _sending = new(1);

    /// <summary>Adds what this node has counted. What Redis does not take is sent again the next time.</summary>
    public async Task SendAsync()
    {
        await _sending.WaitAsync();
        try
        {
            book.Collect();
            if (!redis.IsAvailable) return;
            foreach (var batch in book.Outgoing())
            {
                await redis.AskAsync<RedisResult>(async database => await database.ScriptEvaluateAsync(
                    AddUsage, [KeyOf(batch.Hour), Last], Arguments(batch)), new TimeBudget(Timeout));
                book.Sent(batch);
            }
        }
        catch (RedisServerException e)
        {
            redis.NoteRefusal(e);
        }
        catch (Exception e) when (RedisConnection.IsFailure(e))
        {
            // The watch notices that Redis is away.
        }
        catch (Exception e)
        {
            // An exception from a background service would stop the node.
            redis.ReportDefect(e);
        }
        finally
        {
            _sending.Release();
        }
    }

    /// <summary>Reads the use of all nodes.</summary>
    /// <param name="from">The first hour.</param>
    /// <param name="names">The counters to read.</param>
    /// <returns>Null if Redis is not available.</returns>
    public async Task<UsageFigures?> ReadAsync(long from, IReadOnlyCollection<string> names)
    {
        if (!redis.IsAvailable) return null;
        RedisValue[] fields = [.. names.Select(name => (RedisValue)name)];
        var hours = new Dictionary<long, Dictionary<string, UseCount>>();
        try
        {
            foreach (var some in Enumerable.Range(0, (int)(book.ThisHour - from) + 1).Chunk(HoursAtOnce))
            {
                var values = await redis.AskAsync<RedisValue[][]>(
                    async database => await Task.WhenAll(
                        some.Select(hour => database.HashGetAsync(KeyOf(from + hour), fields))),
                    new TimeBudget(Timeout));
                foreach (var (hour, counts) in some.Zip(values!))
                {
                    hours[from + hour] = names.Zip(counts).Where(count => !count.Second.IsNullOrEmpty)
                        .ToDictionary(count => count.First, count => Parse(count.Second.ToString()));
                }
            }
            var last = await redis.AskAsync<SortedSetEntry[]>(
                async database => await database.SortedSetRangeByScoreWithScoresAsync(Last), new TimeBudget(Timeout));
            return new UsageFigures(
                hours, last!.ToDictionary(use => use.Element.ToString(), use => (long)use.Score));
        }
        catch (Exception e) when (RedisConnection.IsFailure(e))
        {
            return null;
        }
    }

    public void Dispose() => _sending.Dispose();

    private static RedisKey KeyOf(long hour) => "{usage}:"
        + DateTimeOffset.FromUnixTimeSeconds(hour * 3600).ToString("yyyy-MM-dd'T'HH", CultureInfo.InvariantCulture);

    private RedisValue[] Arguments(UsageBatch batch) =>
    [
        _node, batch.Number, (long)Lifetime.TotalSeconds, (clock.GetUtcNow() - LastUseKept).ToUnixTimeSeconds(),
        .. batch.Counts.SelectMany(one => new RedisValue[]
        {
            one.Name, $"{one.Count.Requests} {one.Count.Permits} {one.Count.Refused} {one.Count.Calls}", one.UsedAt,
        }),
    ];

    private static UseCount Parse(string text)
    {
        long[] numbers = [.. text.Split(' ').Select(
            part => long.TryParse(part, CultureInfo.InvariantCulture, out var number) ? number : 0)];
        return numbers is [var requests, var permits, var refused, var calls]
            ? new(requests, permits, refused, calls) : default;
    }
}

using System.Globalization;
using Gateway.Configuration;
using Gateway.Jobs;
using StackExchange.Redis;

namespace Gateway.Redis;

/// <summary>
/// The purges that all nodes share: a sorted set in Redis, each scope with the order of its last purge. A node reads it
/// when it is told of a purge, every second, and before it uses a Redis that was away; what it knows and Redis has lost it
/// puts back.
/// </summary>
internal sealed class PurgeLog(
    RedisConnection redis, PurgeMarks marks, JobMemory memory, FetchOrder order, LiveConfiguration configuration)
{
    private const int Chunk = 500;

    // Nobody waits for these. A large job may be on its way before them.
    private static readonly TimeSpan LookingTime = TimeSpan.FromMilliseconds(500), ReadingTime = TimeSpan.FromSeconds(5);

    private static readonly RedisValue PutBackMember = "/";

    private static readonly RedisKey Key = RedisConnection.Prefix + "purges";

    // Strictly increasing, and no less than the clock of any server that may give out orders.
    private const string Record = """
        local time = redis.call('TIME')
        local now = time[1] * 1000000 + time[2]
        local last = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')
        local order = math.max(now, tonumber(ARGV[2]))
        if last[2] and tonumber(last[2]) >= order then order = tonumber(last[2]) + 1 end
        redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now - tonumber(ARGV[3])))
        redis.call('ZADD', KEYS[1], string.format('%.0f', order), ARGV[1])
        return string.format('%.0f', order)
        """;

    private const string Head = """
        local time = redis.call('TIME')
        local last = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')
        return {string.format('%.0f', time[1] * 1000000 + time[2]), redis.call('ZCARD', KEYS[1]), last[2] or ''}
        """;

    // What comes late need not be the last. The member "/" is no scope: it says that there is something to read.
    private const string PutBack = """
        local changed = 0
        for i = 1, #ARGV, 2 do
          local known = redis.call('ZSCORE', KEYS[1], ARGV[i])
          if not known or tonumber(known) < tonumber(ARGV[i + 1]) then
            redis.call('ZADD', KEYS[1], ARGV[i + 1], ARGV[i])
            changed = changed + 1
          end
        end
        if changed > 0 then
          local last = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')
          redis.call('ZADD', KEYS[1], string.format('%.0f', tonumber(last[2]) + 1), '/')
        end
        return changed
        """;

    private const string RemoveIfOlder = """
        local order = redis.pcall('HGET', KEYS[1], 'order')
        if type(order) == 'string' and tonumber(order) and tonumber(order) > tonumber(ARGV[1]) then return 0 end
        return redis.call('UNLINK', KEYS[1])
        """;

    private string _seen = "";
    private double _readTo;

    /// <summary>
    /// Takes note of what was purged, and of Redis's clock.
    /// </summary>
    /// <param name="wasAway">Whether Redis may have lost what this node knows.</param>
    /// <returns>Whether it put back something that is news to the other nodes.</returns>
    /// <exception cref="RedisException">Redis is away.</exception>
    public async Task<bool> SyncAsync(bool wasAway)
    {
        var putBack = false;
        var asked = order.Now;
        var head = await HeadAsync();
        marks.Forget(before: (long)head[0] - Lasting);
        if (marks.All is { Count: > 0 } known && (wasAway || Misses(head, known)))
        {
            putBack = await PutBackAsync(known);
            asked = order.Now;
            head = await HeadAsync();
        }
        if (order.Follow((long)head[0], asked)) memory.RemoveNewerThan((long)head[0]);
        var seen = $"{head[1]} {head[2]}";
        if (seen == _seen) return putBack;
        var entries = await ReadAsync(_readTo);
        // What was put back may be anywhere.
        if (_readTo > 0 && entries.Any(entry => entry.Element == PutBackMember)) entries = await ReadAsync(0);
        foreach (var entry in entries)
        {
            if (PurgeScope.TryParse(entry.Element.ToString(), out var scope)) Apply(scope, (long)entry.Score);
        }
        _readTo = Score((string?)head[2]);
        _seen = seen;
        return putBack;
    }

    // It may have lost its data and still be there, or not have heard of a purge.
    private static bool Misses(RedisResult head, IReadOnlyCollection<KeyValuePair<string, long>> known) =>
        (long)head[1] < known.Count || known.Max(mark => mark.Value) > Score((string?)head[2]);

    private static double Score(string? text) => double.TryParse(text, CultureInfo.InvariantCulture, out var score) ? score : 0;

    // It is long where there were many purges, and nobody waits for it.
    private async Task<SortedSetEntry[]> ReadAsync(double from) => (await redis.AskAsync<SortedSetEntry[]>(
        async database => await database.SortedSetRangeByScoreWithScoresAsync(Key, from), new Patience(ReadingTime)))!;

    private async Task<bool> PutBackAsync(IReadOnlyCollection<KeyValuePair<string, long>> known)
    {
        var hasChanged = false;
        try
        {
            foreach (var some in known.Chunk(Chunk))
            {
                RedisValue[] marked = [.. some.SelectMany(mark => new RedisValue[] { mark.Key, mark.Value })];
                var changed = await redis.AskAsync<RedisResult>(
                    async database => await database.ScriptEvaluateAsync(PutBack, [Key], marked), new Patience(ReadingTime));
                hasChanged |= (long)changed! > 0;
            }
            return hasChanged;
        }
        catch (RedisServerException)
        {
            // It is full, or read-only: it is of use for reading, and the next look tries again.
            return hasChanged;
        }
    }

    /// <summary>
    /// Marks everything in scope as purged, for all nodes and for fills under way.
    /// </summary>
    /// <returns>How many jobs went from this node's memory.</returns>
    /// <exception cref="RedisException">Redis is configured, but did not take note: only this node has.</exception>
    public async Task<int> MarkAsync(PurgeScope scope)
    {
        marks.Forget(before: order.Now - Lasting);
        if (!redis.IsConfigured) return Apply(scope, order.NextPurge());
        try
        {
            var latest = order.ForPurge(await LatestClockAsync());
            var recorded = await redis.AskAsync<RedisResult>(async database => await database.ScriptEvaluateAsync(
                Record, [Key], [scope.Name, latest, Lasting]), redis.NewPatience());
            return Apply(scope, (long)recorded!);
        }
        catch (Exception e) when (RedisConnection.IsFailure(e))
        {
            Apply(scope, order.NextPurge());
            throw;
        }
    }

    /// <summary>Removes from Redis what a purge has marked.</summary>
    /// <returns>How many jobs that were.</returns>
    /// <exception cref="RedisException">Redis is away; what is left is marked all the same.</exception>
    public async Task<long> RemoveAsync(PurgeScope scope, CancellationToken cancellation)
    {
        if (!redis.IsConfigured) return 0;
        var before = marks.All.Single(mark => mark.Key == scope.Name).Value;
        var multiplexer = await redis.MultiplexerAsync();
        var database = multiplexer.GetDatabase();
        if (scope.Job.Length > 0) return await RemoveAsync(database, [RedisConnection.Prefix + scope.NamePrefix], before);

        long removed = 0;
        foreach (var server in multiplexer.GetServers().Where(server => server is { IsConnected: true, IsReplica: false }))
        {
            var names = server.KeysAsync(database.Database, RedisConnection.Prefix + scope.NamePrefix + "*}", pageSize: Chunk);
            await foreach (var some in names.Chunk(Chunk).WithCancellation(cancellation))
            {
                removed += await RemoveAsync(database, some, before);
            }
        }
        return removed;
    }

    // Nothing stored lives longer than this, in microseconds.
    private long Lasting
    {
        get
        {
            var jobs = configuration.Current.Jobs;
            // A job that is settling is known for as long again as it is fresh.
            var settling = 2 * new[] { jobs.FailedLifetime, jobs.SettleTime, jobs.RunningLifetime }.Max();
            var longest = new[] { jobs.FinishedLifetime, settling, jobs.MaxPollInterval, jobs.StaleIfError }.Max();
            return (longest + TimeSpan.FromDays(1)).Ticks / TimeSpan.TicksPerMicrosecond;
        }
    }

    private async Task<RedisResult> HeadAsync() => (await redis.AskAsync<RedisResult>(
        async database => await database.ScriptEvaluateAsync(Head, [Key]), new Patience(LookingTime)))!;

    private int Apply(PurgeScope scope, long at) => marks.Add(scope, at) ? memory.Remove(scope) : 0;

    private async Task<long> LatestClockAsync()
    {
        var multiplexer = await redis.MultiplexerAsync();
        var masters = multiplexer.GetServers().Where(server => server is { IsConnected: true, IsReplica: false });
        var times = await redis.AskAsync<DateTime[]>(
            async _ => await Task.WhenAll(masters.Select(server => server.TimeAsync())), redis.NewPatience());
        return times!.Select(time => (time - DateTime.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond + 1).DefaultIfEmpty().Max();
    }

    private static async Task<long> RemoveAsync(IDatabase database, IEnumerable<RedisKey> names, long before)
    {
        var replies = await Task.WhenAll(names.Select(name => database.ScriptEvaluateAsync(RemoveIfOlder, [name], [before])));
        return replies.Sum(reply => (long)reply);
    }
}

using System.Globalization;
using Gateway.Jobs;
using Gateway.Redis;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace Gateway.Caching;

/// <summary>
/// The purges that all nodes share: a sorted set in Redis, each scope with the order of its last purge. A node reads it
/// when it is told of a purge, every second, and before it uses a Redis that was away; what it knows and Redis has lost
/// it puts back.
/// </summary>
internal sealed class PurgeLog(
    RedisConnection redis, PurgeMarks marks, JobMemory memory, JobChannel channel, FetchOrder order,
    IOptionsMonitor<JobsOptions> options) : IRedisParticipant
{
    private const int Chunk = 500;

    // Nobody waits for these. A large job may be on its way before them.
    private static readonly TimeSpan LookingTime = TimeSpan.FromMilliseconds(500), ReadingTime = TimeSpan.FromSeconds(5);

    private static readonly RedisValue PutBackMember = "/";

    private static readonly RedisKey Key = RedisConnection.Prefix + "purges";

    private static readonly string Record = ScriptFile.Read("record-purge");

    private static readonly string Head = ScriptFile.Read("head-of-purges");

    private static readonly string PutBack = ScriptFile.Read("put-back-purges");

    private static readonly string RemoveIfOlder = ScriptFile.Read("remove-if-older");

    private string _seen = "";
    private double _readTo;
    // Whether it put back something that the other nodes may not know.
    private bool _hasNews;

    /// <summary>
    /// Takes note of what was purged, and of Redis's clock.
    /// </summary>
    /// <param name="wasAway">Whether Redis may have lost what this node knows.</param>
    /// <exception cref="RedisException">Redis is away.</exception>
    public async Task SyncAsync(bool wasAway)
    {
        var asked = order.Now;
        var head = await HeadAsync();
        marks.Forget(before: (long)head[0] - Lasting);
        if (marks.All is { Count: > 0 } known && (wasAway || Misses(head, known)))
        {
            _hasNews |= await PutBackAsync(known);
            asked = order.Now;
            head = await HeadAsync();
        }
        if (order.Follow((long)head[0], asked)) memory.RemoveNewerThan((long)head[0]);
        var seen = $"{head[1]} {head[2]}";
        if (seen == _seen) return;
        var entries = await ReadAsync(_readTo);
        // What was put back may be anywhere.
        if (_readTo > 0 && entries.Any(entry => entry.Element == PutBackMember)) entries = await ReadAsync(0);
        foreach (var entry in entries)
        {
            if (PurgeScope.TryParse(entry.Element.ToString(), out var scope)) Apply(scope, (long)entry.Score);
        }
        _readTo = Score((string?)head[2]);
        _seen = seen;
    }

    /// <summary>Tells the other nodes of what was put back.</summary>
    public async Task CatchUpAsync()
    {
        if (!_hasNews) return;
        _hasNews = false;
        await channel.TellPurgedAsync();
    }

    // It may have lost its data and still be there, or not have heard of a purge.
    private static bool Misses(RedisResult head, IReadOnlyCollection<KeyValuePair<string, long>> known) =>
        (long)head[1] < known.Count || known.Max(mark => mark.Value) > Score((string?)head[2]);

    private static double Score(string? text) => double.TryParse(text, CultureInfo.InvariantCulture, out var score) ? score : 0;

    // It is long where there were many purges, and nobody waits for it.
    private async Task<SortedSetEntry[]> ReadAsync(double from) => (await redis.AskAsync<SortedSetEntry[]>(
        async database => await database.SortedSetRangeByScoreWithScoresAsync(Key, from), new TimeBudget(ReadingTime)))!;

    private async Task<bool> PutBackAsync(IReadOnlyCollection<KeyValuePair<string, long>> known)
    {
        var hasChanged = false;
        try
        {
            foreach (var some in known.Chunk(Chunk))
            {
                RedisValue[] marked = [.. some.SelectMany(mark => new RedisValue[] { mark.Key, mark.Value })];
                var changed = await redis.AskAsync<RedisResult>(
                    async database => await database.ScriptEvaluateAsync(PutBack, [Key], marked), new TimeBudget(ReadingTime));
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
                Record, [Key], [scope.Name, latest, Lasting]), redis.NewTimeBudget());
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
            var jobs = options.CurrentValue;
            // A job that is settling is known for as long again as it is fresh.
            var settling = 2 * new[] { jobs.FailedLifetime, jobs.SettleTime, jobs.RunningLifetime }.Max();
            var longest = new[] { jobs.FinishedLifetime, settling, jobs.MaxPollInterval, jobs.StaleIfError }.Max();
            return (longest + TimeSpan.FromDays(1)).Ticks / TimeSpan.TicksPerMicrosecond;
        }
    }

    private async Task<RedisResult> HeadAsync() => (await redis.AskAsync<RedisResult>(
        async database => await database.ScriptEvaluateAsync(Head, [Key]), new TimeBudget(LookingTime)))!;

    private int Apply(PurgeScope scope, long at) => marks.Add(scope, at) ? memory.Remove(scope) : 0;

    private async Task<long> LatestClockAsync()
    {
        var multiplexer = await redis.MultiplexerAsync();
        var masters = multiplexer.GetServers().Where(server => server is { IsConnected: true, IsReplica: false });
        var times = await redis.AskAsync<DateTime[]>(
            async _ => await Task.WhenAll(masters.Select(server => server.TimeAsync())), redis.NewTimeBudget());
        return times!.Select(time => (time - DateTime.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond + 1).DefaultIfEmpty().Max();
    }

    private static async Task<long> RemoveAsync(IDatabase database, IEnumerable<RedisKey> names, long before)
    {
        var replies = await Task.WhenAll(names.Select(name =>
            database.ScriptEvaluateAsync(RemoveIfOlder, [name, SharedJobs.FinishedKey(name)], [before])));
        return replies.Sum(reply => (long)reply);
    }
}

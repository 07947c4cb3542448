using System.Globalization;
using Gateway.Jobs;
using Gateway.Redis;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace Gateway.Caching;

/// <summary>
/// The purges that all nodes share: a sorted set in Redis that holds each scope with the order of its last purge. A
/// node reads the set every second, after a message about a purge, and before it uses a Redis that was away. If Redis
/// has lost purges that the node knows, the node puts them back.
/// </summary>
internal sealed class PurgeLog(
    RedisConnection redis, PurgeMarks marks, JobMemory memory, JobChannel channel, FetchOrder order,
    IOptionsMonitor<JobsOptions> options) : IRedisParticipant
{
    private const int Chunk = 500;

    // No request waits for these commands, and a large job may occupy the connection before them.
    private static readonly TimeSpan LookTimeout = TimeSpan.FromMilliseconds(500);

    private static readonly TimeSpan ReadTimeout = TimeSpan.FromSeconds(5);

    private static readonly RedisValue PutBackMember = "/";

    private static readonly RedisKey Key = "purges";

    private static readonly string Record = ScriptFile.Read("record-purge");

    private static readonly string Head = ScriptFile.Read("head-of-purges");

    private static readonly string PutBack = ScriptFile.Read("put-back-purges");

    private static readonly string RemoveIfOlder = ScriptFile.Read("remove-if-older");

    private string _lastHead = "";
    private double _readTo;
    // Whether this node has put back purges that other nodes may not know.
    private bool _hasPutBack;

    /// <summary>Reads new purges and Redis's clock, and puts back purges that Redis has lost.</summary>
    /// <param name="wasAway">Whether Redis may have lost purges that this node knows.</param>
    /// <exception cref="RedisException">Redis is away.</exception>
    public async Task SyncAsync(bool wasAway)
    {
        var asked = order.Now;
        var head = await HeadAsync();
        marks.Forget(before: (long)head[0] - Retention);
        if (marks.All is { Count: > 0 } known && (wasAway || HasLostPurges(head, known)))
        {
            _hasPutBack |= await PutBackAsync(known);
            asked = order.Now;
            head = await HeadAsync();
        }
        if (order.Follow((long)head[0], asked)) memory.RemoveNewerThan((long)head[0]);
        var newHead = $"{head[1]} {head[2]}";
        if (newHead == _lastHead) return;
        var entries = await ReadAsync(_readTo);
        // The order of a purge that was put back may be below the last order that this node has read.
        if (_readTo > 0 && entries.Any(entry => entry.Element == PutBackMember)) entries = await ReadAsync(0);
        foreach (var entry in entries)
        {
            if (PurgeScope.TryParse(entry.Element.ToString(), out var scope)) Apply(scope, (long)entry.Score);
        }
        _readTo = Score((string?)head[2]);
        _lastHead = newHead;
    }

    /// <summary>Tells the other nodes that purges were put back.</summary>
    public async Task CatchUpAsync()
    {
        if (!_hasPutBack) return;
        _hasPutBack = false;
        await channel.PublishPurgeAsync();
    }

    // Redis may have lost its data without a failure, or a purge may not have reached it.
    private static bool HasLostPurges(RedisResult head, IReadOnlyCollection<KeyValuePair<string, long>> known) =>
        (long)head[1] < known.Count || known.Max(mark => mark.Value) > Score((string?)head[2]);

    private static double Score(string? text) =>
        double.TryParse(text, CultureInfo.InvariantCulture, out var score) ? score : 0;

    private async Task<SortedSetEntry[]> ReadAsync(double from) => (await redis.AskAsync<SortedSetEntry[]>(
        async database => await database.SortedSetRangeByScoreWithScoresAsync(Key, from),
        new TimeBudget(ReadTimeout)))!;

    private async Task<bool> PutBackAsync(IReadOnlyCollection<KeyValuePair<string, long>> known)
    {
        var hasChanged = false;
        try
        {
            foreach (var some in known.Chunk(Chunk))
            {
                RedisValue[] marked = [.. some.SelectMany(mark => new RedisValue[] { mark.Key, mark.Value })];
                var changed = await redis.AskAsync<RedisResult>(
                    async database => await database.ScriptEvaluateAsync(PutBack, [Key], marked),
                    new TimeBudget(ReadTimeout));
                hasChanged |= (long)changed! > 0;
            }
            return hasChanged;
        }
        catch (RedisServerException)
        {
            // Redis is out of memory or read-only, but can still be read. The next look tries again.
            return hasChanged;
        }
    }

    /// <summary>
    /// Marks everything in scope as purged on all nodes. A fill that has begun cannot store an older answer afterwards.
    /// </summary>
    /// <returns>The number of jobs in this node's memory that were fetched before the purge.</returns>
    /// <exception cref="RedisException">
    /// Redis did not record the purge. Only this node has purged its memory.
    /// </exception>
    public async Task<int> MarkAsync(PurgeScope scope)
    {
        marks.Forget(before: order.Now - Retention);
        if (!redis.IsConfigured) return Apply(scope, order.NextPurge());
        try
        {
            var latest = order.ForPurge(await LatestClockAsync());
            var recorded = await redis.AskAsync<RedisResult>(async database => await database.ScriptEvaluateAsync(
                Record, [Key], [scope.Name, latest, Retention]), redis.NewTimeBudget());
            return Apply(scope, (long)recorded!);
        }
        catch (Exception e) when (RedisConnection.IsFailure(e))
        {
            Apply(scope, order.NextPurge());
            throw;
        }
    }

    /// <summary>Removes the jobs from Redis that a purge has marked. After a soft purge, only counts them.</summary>
    /// <returns>The number of jobs in Redis that were fetched before the purge.</returns>
    /// <exception cref="RedisException">Redis is away. The mark still covers the jobs that remain.</exception>
    public async Task<long> RemoveAsync(PurgeScope scope, CancellationToken cancellation)
    {
        if (!redis.IsConfigured) return 0;
        var before = marks.All.Single(mark => mark.Key == scope.Name).Value;
        var (multiplexer, database, _) = await redis.LinkAsync();
        if (scope.Job.Length > 0) return await RemoveAsync(database, scope, [scope.NamePrefix], before);

        long covered = 0;
        foreach (var server in MastersOf(multiplexer))
        {
            // A server returns whole names; the database adds the prefix itself.
            var names = server.KeysAsync(database.Database, redis.Prefix + scope.NamePrefix + "*}", pageSize: Chunk)
                .Select(name => (RedisKey)name.ToString()[redis.Prefix.Length..]);
            await foreach (var some in names.Chunk(Chunk).WithCancellation(cancellation))
            {
                covered += await RemoveAsync(database, scope, some, before);
            }
        }
        return covered;
    }

    // How long a purge matters, in microseconds: no stored job lives longer.
    private long Retention
    {
        get
        {
            var jobs = options.CurrentValue;
            // A settling job is kept for twice its freshness.
            var settling = 2 * new[] { jobs.FailedLifetime, jobs.SettleTime, jobs.RunningLifetime }.Max();
            var longest = new[] { jobs.FinishedLifetime, settling, jobs.MaxPollInterval, jobs.StaleIfError }.Max();
            return (longest + TimeSpan.FromDays(1)).Ticks / TimeSpan.TicksPerMicrosecond;
        }
    }

    private async Task<RedisResult> HeadAsync() => (await redis.AskAsync<RedisResult>(
        async database => await database.ScriptEvaluateAsync(Head, [Key]), new TimeBudget(LookTimeout)))!;

    private int Apply(PurgeScope scope, long at) => marks.Add(scope, at) ? memory.Remove(scope) : 0;

    private async Task<long> LatestClockAsync()
    {
        var (multiplexer, _, _) = await redis.LinkAsync();
        var times = await redis.AskAsync<DateTime[]>(
            async _ => await Task.WhenAll(MastersOf(multiplexer).Select(server => server.TimeAsync())),
            redis.NewTimeBudget());
        return times!.Select(time => (time - DateTime.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond + 1)
            .DefaultIfEmpty().Max();
    }

    private static IEnumerable<IServer> MastersOf(IConnectionMultiplexer multiplexer) =>
        multiplexer.GetServers().Where(server => server is { IsConnected: true, IsReplica: false });

    private static async Task<long> RemoveAsync(
        IDatabase database, PurgeScope scope, IEnumerable<RedisKey> names, long before)
    {
        var replies = await Task.WhenAll(names.Select(name => database.ScriptEvaluateAsync(
            RemoveIfOlder, [name, SharedJobs.FinishedKey(name)], [before, scope.IsSoft ? 1 : 0])));
        return replies.Sum(reply => (long)reply);
    }
}

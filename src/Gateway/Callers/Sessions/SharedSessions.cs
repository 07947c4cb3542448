using System.Collections.Concurrent;
using System.Globalization;
using Gateway.Redis;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace Gateway.Callers.Sessions;

/// <summary>
/// Sessions in Redis. The key <c>gateway:session:{hash}</c> expires with the idle time of its session. The key
/// <c>gateway:session-mark:{name}</c> is the mark of a login that the provider has ended: a session is ended if its
/// login began before its mark. Each session lookup reads the marks, so an LRU eviction removes other keys first. A
/// node keeps the changes that Redis has not accepted until Redis accepts them, or until all sessions concerned have
/// expired.
/// </summary>
internal sealed class SharedSessions : IRedisParticipant
{
    private const string Prefix = "session:", MarkPrefix = "session-mark:", LockPrefix = "session-check:",
        Channel = "sessions";

    private const int AtOnce = 100;

    private static readonly string RaiseMark = ScriptFile.Read("raise-mark"),
        ReleaseCheck = ScriptFile.Read("release-check");

    // Changes that Redis has not accepted yet: ended sessions, and marks. The value of a session says whether to tell
    // other nodes even if Redis does not have the session.
    private readonly ConcurrentDictionary<KeyHash, bool> _toRemove = new();
    private readonly ConcurrentDictionary<string, Mark> _toMark = new(StringComparer.Ordinal);
    private readonly RedisConnection _redis;
    private readonly RedisMetrics _metrics;

    public SharedSessions(
        RedisConnection redis, IOptionsMonitor<AuthenticationOptions> options, RedisMetrics metrics)
    {
        (_redis, _metrics) = (redis, metrics);
        if (options.CurrentValue.Oidc.IsConfigured) redis.Listen(Channel, Hear);
    }

    /// <summary>Raised when a session has ended on another node, or on this one.</summary>
    public event Action<KeyHash>? Ended;

    /// <summary>Raised when the provider has ended a login, through this node or another.</summary>
    public event Action<string, long>? Marked;

    /// <summary>Raised when Redis is available again. Redis may have lost data.</summary>
    public event Action Returned
    {
        add => _redis.Returned += value;
        remove => _redis.Returned -= value;
    }

    public bool IsConfigured => _redis.IsConfigured;

    public bool IsAway => _redis.IsConfigured && !_redis.IsAvailable;

    /// <returns>Whether Redis has stored the session.</returns>
    public async Task<bool> StoreAsync(KeyHash hash, Session session, TimeSpan idle)
    {
        var stored = await _redis.TryAsync(
            async database => await database.StringSetAsync(Prefix + hash, session.Serialize(), idle) ? this : null,
            _redis.NewTimeBudget());
        return stored is not null;
    }

    /// <summary>Reads a session, and restarts its idle time.</summary>
    /// <returns>The session, its idle time, and whether Redis is away.</returns>
    public async ValueTask<(Session? Session, TimeSpan IdleLeft, bool IsAway)> FindAsync(KeyHash hash, TimeSpan idle)
    {
        var budget = _redis.NewTimeBudget();
        var reply = await _redis.TryAsync(async database =>
            (object?)await database.StringGetSetExpiryAsync(Prefix + hash, idle), budget);
        if (reply is not RedisValue value) return (null, default, true);
        var (session, isAway) = await FindAsync(hash, value, budget);
        return (session, idle, isAway);
    }

    /// <summary>Reads a session, and leaves its idle time as it is.</summary>
    /// <returns>The session, the rest of its idle time, and whether Redis is away.</returns>
    public async ValueTask<(Session? Session, TimeSpan IdleLeft, bool IsAway)> PeekAsync(KeyHash hash)
    {
        var budget = _redis.NewTimeBudget();
        var reply = await _redis.TryAsync(async database =>
            (object?)await database.StringGetWithExpiryAsync(Prefix + hash), budget);
        if (reply is not RedisValueWithExpiry found) return (null, default, true);
        var (session, isAway) = await FindAsync(hash, found.Value, budget);
        return (session, found.Expiry ?? TimeSpan.Zero, isAway);
    }

    private async ValueTask<(Session? Session, bool IsAway)> FindAsync(
        KeyHash hash, RedisValue value, TimeBudget budget)
    {
        if (value.IsNull || _toRemove.ContainsKey(hash)) return (null, false);
        if (Session.Parse((byte[])value!) is not { } session)
        {
            _metrics.Rejected("session");
            return (null, false);
        }
        switch (await IsMarkedAsync(session, budget))
        {
            case null: return (null, true);
            case false: return (session, false);
            default:
                // A page that keeps using the session would otherwise extend it beyond the lifetime of its mark.
                RemoveLater(hash);
                return (null, false);
        }
    }

    /// <summary>Replaces a session, and leaves its idle time as it is.</summary>
    /// <returns>False if the session has ended; null if Redis has not answered.</returns>
    public async Task<bool?> ReplaceAsync(KeyHash hash, Session session) =>
        (bool?)await _redis.TryAsync(async database => (object?)await database.StringSetAsync(
            Prefix + hash, session.Serialize(), expiry: null, keepTtl: true, When.Exists), _redis.NewTimeBudget());

    /// <summary>Acquires the lock of a session check, which one node holds at a time.</summary>
    /// <param name="holder">A name that no other check uses.</param>
    /// <param name="lifetime">When the lock ends if it is not released.</param>
    /// <returns>False if another check holds the lock; null if Redis has not answered.</returns>
    public async Task<bool?> LockAsync(KeyHash hash, string holder, TimeSpan lifetime) => !IsConfigured ? true
        : (bool?)await _redis.TryAsync(async database => (object?)await database.StringSetAsync(
            LockPrefix + hash, holder, lifetime, When.NotExists), _redis.NewTimeBudget());

    /// <summary>Releases the lock of a session check if this holder still has it.</summary>
    public async Task UnlockAsync(KeyHash hash, string holder)
    {
        if (!IsConfigured) return;
        await _redis.TryAsync(async database => (object?)await database.ScriptEvaluateAsync(
            ReleaseCheck, [LockPrefix + hash], [holder]), _redis.NewTimeBudget());
    }

    /// <summary>Whether the provider has ended the session's login; null if Redis is away.</summary>
    public Task<bool?> IsMarkedAsync(Session session) => IsMarkedAsync(session, _redis.NewTimeBudget());

    /// <summary>Removes a session from Redis, now or when Redis is back.</summary>
    public async Task RemoveAsync(KeyHash hash)
    {
        _toRemove[hash] = true;
        await RemoveNowAsync(hash);
    }

    /// <summary>Makes the next <see cref="CatchUpAsync"/> remove a session from Redis.</summary>
    public void RemoveLater(KeyHash hash) => _toRemove.TryAdd(hash, false);

    /// <summary>Sets the mark of a login, or of all logins of a user: now, or when Redis is back.</summary>
    /// <param name="left">The lifetime of the mark. No session that it ends lasts longer.</param>
    /// <returns>Whether Redis has accepted the mark. If not, sessions may go on on other nodes.</returns>
    public Task<bool> MarkAsync(string mark, long order, TimeSpan left)
    {
        MarkLater(mark, order, left);
        return MarkNowAsync(mark);
    }

    /// <summary>Makes the next <see cref="CatchUpAsync"/> set a mark.</summary>
    public void MarkLater(string mark, long order, TimeSpan left)
    {
        var until = Environment.TickCount64 + (long)left.TotalMilliseconds;
        var made = new Mark(order, until);
        _toMark.AddOrUpdate(mark, made, (_, known) => known.Order > order ? known : made);
    }

    /// <summary>Applies the changes that Redis has not accepted yet, and tells the other nodes.</summary>
    public async Task CatchUpAsync()
    {
        foreach (var some in _toMark.Keys.Chunk(AtOnce))
        {
            if ((await Task.WhenAll(some.Select(MarkNowAsync))).Contains(false)) break;
        }
        foreach (var some in _toRemove.Keys.Chunk(AtOnce))
        {
            if ((await Task.WhenAll(some.Select(RemoveNowAsync))).Contains(false)) break;
        }
    }

    private async Task<bool> RemoveNowAsync(KeyHash hash)
    {
        if (!_toRemove.TryGetValue(hash, out var isNews)) return true;
        var done = await _redis.TryAsync(async database =>
        {
            var wasThere = await database.KeyDeleteAsync(Prefix + hash);
            if (wasThere || isNews) await database.Multiplexer.GetSubscriber().PublishAsync(
                RedisChannel.Literal(Channel), hash.ToString());
            return this;
        }, _redis.NewTimeBudget());
        if (done is not null) _toRemove.TryRemove(hash, out _);
        return done is not null;
    }

    private async Task<bool> MarkNowAsync(string name)
    {
        if (!_toMark.TryGetValue(name, out var mark)) return true;
        var left = mark.Until - Environment.TickCount64;
        var done = left <= 0 ? this : await _redis.TryAsync(async database =>
        {
            if ((bool)await database.ScriptEvaluateAsync(RaiseMark, [MarkPrefix + name], [mark.Order, left]))
            {
                var message = string.Create(CultureInfo.InvariantCulture, $"{name} {mark.Order}");
                await database.Multiplexer.GetSubscriber().PublishAsync(
                RedisChannel.Literal(Channel), message);
            }
            return this;
        }, _redis.NewTimeBudget());
        if (done is not null) _toMark.TryRemove(KeyValuePair.Create(name, mark));
        return done is not null;
    }

    private async Task<bool?> IsMarkedAsync(Session session, TimeBudget budget)
    {
        // One command for each key, because the keys may be on different servers of a cluster.
        var marks = await _redis.TryAsync(async database =>
            await Task.WhenAll(session.Marks().Select(mark => database.StringGetAsync(MarkPrefix + mark))), budget);
        return marks?.Any(mark => mark.TryParse(out long order) && order >= session.Order);
    }

    private void Hear(string message)
    {
        var words = message.Split(' ');
        if (words.Length == 1 && KeyHash.TryParse(message, out var hash)) Ended?.Invoke(hash.Value);
        if (words.Length == 2 && long.TryParse(words[1], CultureInfo.InvariantCulture, out var order))
        {
            Marked?.Invoke(words[0], order);
        }
    }

    // Until is a value of Environment.TickCount64.
    private sealed record Mark(long Order, long Until);
}

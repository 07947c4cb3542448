using System.Collections.Concurrent;
using System.Globalization;
using Gateway.Configuration;
using Gateway.Operations;
using Gateway.Redis;
using StackExchange.Redis;

namespace Gateway.Callers.Sessions;

/// <summary>
/// Sessions in Redis: <c>gateway:session:{hash}</c>, which lives as long as the session may be idle. Beside them are marks,
/// <c>gateway:session-mark:{name}</c>, of logins that the provider has ended: a session whose login began before its mark
/// has ended, wherever it turns up. A mark is read with each session, so it is not what Redis puts out first.
/// </summary>
internal sealed class SharedSessions(RedisConnection redis, LiveConfiguration configuration, GatewayMetrics metrics)
{
    private const string Prefix = RedisConnection.Prefix + "session:", MarkPrefix = RedisConnection.Prefix + "session-mark:";

    private static readonly RedisChannel Channel = RedisChannel.Literal(RedisConnection.Prefix + "sessions");

    // What was to end while Redis was away.
    private readonly ConcurrentDictionary<KeyHash, bool> _toRemove = new();
    private bool _subscribed;

    /// <summary>Raised when a session has ended on another node, or on this one.</summary>
    public event Action<KeyHash>? Ended;

    /// <summary>Raised when the provider has ended a login by way of another node, or of this one.</summary>
    public event Action<string, long>? Marked;

    public bool IsConfigured => redis.IsConfigured;

    public bool IsAway => redis.IsConfigured && !redis.IsAvailable;

    public async Task SubscribeAsync()
    {
        if (_subscribed || !configuration.Current.Authentication.Oidc.IsConfigured) return;
        var subscriber = (await redis.MultiplexerAsync()).GetSubscriber();
        await subscriber.UnsubscribeAsync(Channel, flags: CommandFlags.FireAndForget);
        await subscriber.SubscribeAsync(Channel, (_, message) => Hear(message.ToString()));
        _subscribed = true;
    }

    /// <returns>False: it could not be stored.</returns>
    public async Task<bool> StoreAsync(KeyHash hash, Session session, TimeSpan idle)
    {
        var stored = await redis.TryAsync(async database =>
            await database.StringSetAsync(Prefix + hash, session.Serialize(), idle) ? this : null, redis.NewPatience());
        return stored is not null;
    }

    /// <summary>Reads a session, and lets it live on for as long as it may be idle.</summary>
    public async ValueTask<(Session? Session, bool IsAway)> FindAsync(KeyHash hash, TimeSpan idle)
    {
        var patience = redis.NewPatience();
        var reply = await redis.TryAsync(async database =>
            (object?)await database.StringGetSetExpiryAsync(Prefix + hash, idle), patience);
        if (reply is not RedisValue value) return (null, true);
        if (value.IsNull || _toRemove.ContainsKey(hash)) return (null, false);
        if (Session.Parse((byte[])value!) is not { } session)
        {
            metrics.StoredValueRejected("session");
            return (null, false);
        }
        return await IsMarkedAsync(session, patience) switch
        {
            true => (null, false),
            false => (session, false),
            null => (null, true),
        };
    }

    /// <summary>Whether the provider has ended the login that this is a session of. Null: Redis is away.</summary>
    public Task<bool?> IsMarkedAsync(Session session) => IsMarkedAsync(session, redis.NewPatience());

    public async Task RemoveAsync(KeyHash hash)
    {
        _toRemove[hash] = true;
        await FlushAsync();
    }

    /// <summary>Marks a login, or all of a user's, as ended, on all nodes.</summary>
    /// <returns>False: Redis is away.</returns>
    public async Task<bool> MarkAsync(string mark, long order)
    {
        // No session outlives that.
        var lifetime = configuration.Current.Authentication.Oidc.AbsoluteLifetime;
        var done = await redis.TryAsync(async database =>
        {
            await database.StringSetAsync(MarkPrefix + mark, order, lifetime);
            await database.Multiplexer.GetSubscriber().PublishAsync(Channel, string.Create(CultureInfo.InvariantCulture, $"{mark} {order}"));
            return this;
        }, redis.NewPatience());
        return done is not null;
    }

    /// <summary>Removes what is to be removed, as far as Redis takes part, and tells the other nodes.</summary>
    public async Task FlushAsync()
    {
        foreach (var (hash, _) in _toRemove)
        {
            var done = await redis.TryAsync(async database =>
            {
                await database.KeyDeleteAsync(Prefix + hash);
                await database.Multiplexer.GetSubscriber().PublishAsync(Channel, hash.ToString());
                return this;
            }, redis.NewPatience());
            if (done is null) return;
            _toRemove.TryRemove(hash, out _);
        }
    }

    private async Task<bool?> IsMarkedAsync(Session session, Patience patience)
    {
        // One key each, for they may be on different servers of a cluster.
        var marks = await redis.TryAsync(async database =>
            await Task.WhenAll(session.Marks().Select(mark => database.StringGetAsync(MarkPrefix + mark))), patience);
        return marks?.Any(mark => mark.TryParse(out long order) && order >= session.Order);
    }

    private void Hear(string message)
    {
        var words = message.Split(' ');
        if (words.Length == 1 && KeyHash.TryParse(message, out var hash)) Ended?.Invoke(hash.Value);
        if (words.Length == 2 && long.TryParse(words[1], CultureInfo.InvariantCulture, out var order)) Marked?.Invoke(words[0], order);
    }
}

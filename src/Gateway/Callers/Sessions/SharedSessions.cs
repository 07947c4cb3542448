using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Gateway.Configuration;
using Gateway.Operations;
using Gateway.Redis;
using StackExchange.Redis;

namespace Gateway.Callers.Sessions;

/// <summary>
/// Sessions in Redis: <c>gateway:session:{hash}</c>, which lives as long as the session may be idle, and beside it for each
/// user and each login a set of the sessions it has, for the day when the provider says that they end.
/// </summary>
internal sealed class SharedSessions(RedisConnection redis, LiveConfiguration configuration, GatewayMetrics metrics)
{
    private const string Prefix = RedisConnection.Prefix + "session:", IndexPrefix = RedisConnection.Prefix + "sessions-of:";

    private static readonly RedisChannel Channel = RedisChannel.Literal(RedisConnection.Prefix + "sessions");

    // What was to end while Redis was away.
    private readonly ConcurrentDictionary<KeyHash, bool> _toRemove = new();
    private bool _subscribed;

    /// <summary>Raised when a session has ended on another node, or on this one.</summary>
    public event Action<KeyHash>? Ended;

    public bool IsConfigured => redis.IsConfigured;

    public bool IsAway => redis.IsConfigured && !redis.IsAvailable;

    public async Task SubscribeAsync()
    {
        if (_subscribed || !configuration.Current.Authentication.Oidc.IsConfigured) return;
        var subscriber = (await redis.MultiplexerAsync()).GetSubscriber();
        await subscriber.UnsubscribeAsync(Channel, flags: CommandFlags.FireAndForget);
        await subscriber.SubscribeAsync(Channel, (_, message) =>
        {
            if (KeyHash.TryParse(message, out var hash)) Ended?.Invoke(hash.Value);
        });
        _subscribed = true;
    }

    /// <returns>False: it could not be stored.</returns>
    public async Task<bool> StoreAsync(KeyHash hash, Session session, TimeSpan idle)
    {
        var stored = await redis.TryAsync(async database =>
        {
            foreach (var index in Indexes(session.Issuer, session.ClaimSet().Subject, session.ClaimSet().Values("sid").FirstOrDefault()))
            {
                await database.SetAddAsync(index, hash.ToString());
                // An index outlives each session in it.
                await database.KeyExpireAsync(index, session.EndsAt - session.StartedAt + idle);
            }
            return await database.StringSetAsync(Prefix + hash, session.Serialize(), idle) ? this : null;
        }, redis.NewPatience());
        return stored is not null;
    }

    /// <summary>Reads a session, and lets it live on for as long as it may be idle.</summary>
    public async ValueTask<(Session? Session, bool IsAway)> FindAsync(KeyHash hash, TimeSpan idle)
    {
        var reply = await redis.TryAsync(async database =>
            (object?)await database.StringGetSetExpiryAsync(Prefix + hash, idle), redis.NewPatience());
        if (reply is not RedisValue value) return (null, true);
        if (value.IsNull || _toRemove.ContainsKey(hash)) return (null, false);
        if (Session.Parse((byte[])value!) is { } session) return (session, false);
        metrics.StoredValueRejected("session");
        return (null, false);
    }

    public async Task RemoveAsync(KeyHash hash)
    {
        _toRemove[hash] = true;
        await FlushAsync();
    }

    /// <returns>False: Redis is away.</returns>
    public async Task<bool> RemoveAllAsync(string issuer, string? subject, string? login)
    {
        // A login is one of the user's, so its index alone has all that is meant.
        foreach (var index in Indexes(issuer, login is null ? subject : null, login))
        {
            var members = await redis.TryAsync(async database => await database.SetMembersAsync(index), redis.NewPatience());
            if (members is null) return false;
            foreach (var member in members)
            {
                if (KeyHash.TryParse(member, out var hash)) _toRemove[hash.Value] = true;
            }
        }
        await FlushAsync();
        return _toRemove.IsEmpty;
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

    private static IEnumerable<RedisKey> Indexes(string issuer, string? subject, string? login)
    {
        if (!string.IsNullOrEmpty(subject)) yield return Index("sub", issuer, subject);
        if (!string.IsNullOrEmpty(login)) yield return Index("sid", issuer, login);
    }

    // Hashed, for a name in Redis is seen by more people than a value.
    private static RedisKey Index(string kind, string issuer, string id) =>
        $"{IndexPrefix}{kind}:{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{issuer}\n{id}")))}";
}

using System.Collections.Concurrent;
using Gateway.Configuration;

namespace Gateway.Callers.Sessions;

/// <summary>
/// All sessions: in this node's memory, and, where there is a Redis, there, so that any node serves any session. Memory is
/// believed for a few seconds, and a session that has ended anywhere is taken out of it at once. Neither place has the
/// browser's name for a session, but its hash.
/// </summary>
internal sealed class SessionStore
{
    /// <summary>For how long memory is believed where a message of a logout may have been lost.</summary>
    private static readonly TimeSpan BelievedFor = TimeSpan.FromSeconds(5), Remembered = TimeSpan.FromMinutes(1);

    private readonly SharedSessions _shared;
    private readonly LiveConfiguration _configuration;
    private readonly TimeProvider _clock;
    private readonly ConcurrentDictionary<KeyHash, Entry> _entries = new();
    private long _sweptAt;

    public SessionStore(SharedSessions shared, LiveConfiguration configuration, TimeProvider clock)
    {
        (_shared, _configuration, _clock) = (shared, configuration, clock);
        _sweptAt = clock.GetUtcNow().Ticks;
        shared.Ended += Forget;
    }

    /// <summary>Whether no session can be started, and none looked up that this node has not seen of late.</summary>
    public bool IsAway => _shared.IsAway;

    private TimeSpan IdleLifetime => _configuration.Current.Authentication.Oidc.IdleLifetime;

    /// <summary>Keeps a new session.</summary>
    /// <returns>The browser's name for it; null: Redis is away, so that no other node would know of it.</returns>
    public async Task<string?> StartAsync(Session session)
    {
        Sweep();
        var id = SessionCookie.NewId();
        var hash = KeyHash.Of(id);
        if (_shared.IsConfigured && !await _shared.StoreAsync(hash, session, IdleLifetime)) return null;
        // It may have ended already.
        _entries.TryAdd(hash, Seen(session));
        return id;
    }

    /// <summary>The session of that name, which is in use, and so not idle.</summary>
    public ValueTask<(Session? Session, Refusal Refusal)> FindAsync(ReadOnlySpan<char> id)
    {
        if (id.Length > KeyHash.MaxKeyLength) return new((null, Refusal.SessionEnded));
        var hash = KeyHash.Of(id);
        var now = _clock.GetUtcNow();
        var known = _entries.GetValueOrDefault(hash);
        if (known is { Session: null }) return new((null, Refusal.SessionEnded));
        if (known is not null && known.IsAlive(now) && (!_shared.IsConfigured || now - known.CheckedAt < BelievedFor))
        {
            known.IdleUntil = now + IdleLifetime;
            return new((known.Session, Refusal.None));
        }
        return _shared.IsConfigured ? FindSharedAsync(hash, known) : new((null, Refusal.SessionEnded));
    }

    /// <summary>When the session of that name ends if nothing is asked with it.</summary>
    public DateTimeOffset IdleUntil(ReadOnlySpan<char> id) =>
        _entries.GetValueOrDefault(KeyHash.Of(id))?.IdleUntil ?? _clock.GetUtcNow() + IdleLifetime;

    /// <summary>Ends a session on all nodes.</summary>
    public async Task EndAsync(string id)
    {
        var hash = KeyHash.Of(id);
        Forget(hash);
        if (_shared.IsConfigured) await _shared.RemoveAsync(hash);
    }

    /// <summary>Ends the sessions of a login, or of all logins of a user, on all nodes.</summary>
    /// <returns>False: Redis is away, so that others may go on.</returns>
    public async Task<bool> EndAllAsync(string issuer, string? subject, string? login)
    {
        foreach (var (hash, entry) in _entries)
        {
            if (entry.Session is { } session && session.Issuer == issuer
                && (subject is null || session.ClaimSet().Subject == subject)
                && (login is null || session.ClaimSet().Values("sid").Contains(login)))
            {
                Forget(hash);
                if (_shared.IsConfigured) await _shared.RemoveAsync(hash);
            }
        }
        return !_shared.IsConfigured || await _shared.RemoveAllAsync(issuer, subject, login);
    }

    /// <summary>Makes this node forget a session, which has ended here or elsewhere, for good.</summary>
    public void Forget(KeyHash hash) => _entries[hash] = new Entry(null, _clock.GetUtcNow()) { IdleUntil = _clock.GetUtcNow() + Remembered };

    private async ValueTask<(Session?, Refusal)> FindSharedAsync(KeyHash hash, Entry? known)
    {
        Sweep();
        var (found, isAway) = await _shared.FindAsync(hash, IdleLifetime);
        var now = _clock.GetUtcNow();
        // Nodes go on alone with what they know.
        if (isAway) found = known is not null && known.IsAlive(now) ? known.Session : null;
        if (isAway && found is null) return (null, Refusal.SessionsAway);
        if (found is null || found.EndsAt <= now)
        {
            _entries.TryRemove(hash, out _);
            return (null, Refusal.SessionEnded);
        }
        var entry = _entries.AddOrUpdate(hash, _ => Seen(found), (_, before) => before.Session is null ? before : Seen(found));
        return entry.Session is { } session ? (session, Refusal.None) : (null, Refusal.SessionEnded);
    }

    private Entry Seen(Session session)
    {
        var now = _clock.GetUtcNow();
        return new Entry(session, now) { IdleUntil = now + IdleLifetime };
    }

    // Once a minute whoever comes by takes out what has ended.
    private void Sweep()
    {
        var now = _clock.GetUtcNow();
        var last = Interlocked.Read(ref _sweptAt);
        if (now.Ticks - last < Remembered.Ticks || Interlocked.CompareExchange(ref _sweptAt, now.Ticks, last) != last) return;
        foreach (var (hash, entry) in _entries)
        {
            var isUnused = _shared.IsConfigured && entry.Session is not null && now - entry.CheckedAt > Remembered;
            if (isUnused || entry.IdleUntil <= now || entry.Session?.EndsAt <= now) _entries.TryRemove(KeyValuePair.Create(hash, entry));
        }
    }

    /// <summary>What this node knows of a session; without one, that it has ended.</summary>
    private sealed class Entry(Session? session, DateTimeOffset checkedAt)
    {
        private long _idleUntil;

        public Session? Session => session;

        public DateTimeOffset CheckedAt => checkedAt;

        public DateTimeOffset IdleUntil
        {
            get => new(Interlocked.Read(ref _idleUntil), TimeSpan.Zero);
            set => Interlocked.Exchange(ref _idleUntil, value.UtcTicks);
        }

        public bool IsAlive(DateTimeOffset now) => session is not null && now < IdleUntil && now < session.EndsAt;
    }
}

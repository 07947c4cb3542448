using System.Collections.Concurrent;
using Gateway.Redis;
using Gateway.Runtime;
using Microsoft.Extensions.Options;

namespace Gateway.Callers.Sessions;

/// <summary>The result of a session lookup.</summary>
/// <param name="Session">The session, or null.</param>
/// <param name="Name">The hash of the cookie's value.</param>
/// <param name="Refusal">Why there is no session.</param>
/// <param name="IdleUntil">When the session ends without another request.</param>
internal readonly record struct FoundSession(
    Session? Session, KeyHash Name, Refusal Refusal, DateTimeOffset IdleUntil = default);

/// <summary>
/// All sessions, in this node's memory and, if configured, in Redis, so that any node serves any session. A node uses
/// its memory for a few seconds before it asks Redis again, and removes a session from it as soon as the session ends
/// on any node. Both places hold the hash of the cookie's value, never the value.
/// </summary>
internal sealed class SessionStore
{
    /// <summary>How long memory is used before Redis is asked again: a logout message can get lost.</summary>
    private static readonly TimeSpan BelievedFor = TimeSpan.FromSeconds(5), BetweenSweeps = TimeSpan.FromMinutes(1);

    // The same for a stream that stays open. Most sessions end by a message.
    private static readonly TimeSpan BelievedByStreams = TimeSpan.FromSeconds(15);

    private readonly SharedSessions _shared;
    private readonly SessionIds _ids;
    private readonly FetchOrder _order;
    private readonly IOptionsMonitor<AuthenticationOptions> _options;
    private readonly SteadyClock _clock;
    private readonly ConcurrentDictionary<KeyHash, Entry> _entries = new();
    private readonly ConcurrentDictionary<string, (long Order, DateTimeOffset At)> _marks = new(StringComparer.Ordinal);
    private long _sweptAt, _ended;

    public SessionStore(
        SharedSessions shared, SessionIds ids, FetchOrder order, IOptionsMonitor<AuthenticationOptions> options,
        SteadyClock clock)
    {
        (_shared, _ids, _order, _options, _clock) = (shared, ids, order, options, clock);
        _sweptAt = clock.Now.Ticks;
        shared.Ended += Forget;
        shared.Marked += EndMarked;
        shared.Returned += TellAgain;
    }

    /// <summary>Whether Redis is away: no session can start, and only sessions in memory are found.</summary>
    public bool IsAway => _shared.IsAway;

    /// <summary>The number of sessions whose end this node has noticed.</summary>
    public long Ended => Interlocked.Read(ref _ended);

    private OidcOptions Options => _options.CurrentValue.Oidc;

    /// <summary>Stores a new session.</summary>
    /// <param name="id">The cookie's value.</param>
    /// <returns>
    /// Why the session was not stored: Redis is away, or the provider ended the login meanwhile.
    /// </returns>
    public async Task<Refusal> StartAsync(string id, Session session)
    {
        Sweep();
        var hash = KeyHash.Of(id);
        if (_shared.IsConfigured)
        {
            if (!await _shared.StoreAsync(hash, session, Options.IdleLifetime)) return Refusal.SessionsAway;
            if (await _shared.IsMarkedAsync(session) == true) return Refusal.SessionEnded;
        }
        _entries.TryAdd(hash, Seen(session));
        if (!IsMarked(session)) return Refusal.None;
        Forget(hash);
        return Refusal.SessionEnded;
    }

    /// <summary>Finds a session by the cookie's value.</summary>
    /// <param name="id">The cookie's value.</param>
    /// <param name="extends">Whether the request restarts the session's idle time.</param>
    public ValueTask<FoundSession> FindAsync(ReadOnlySpan<char> id, bool extends)
    {
        if (!SessionIds.MayBeId(id)) return new(new FoundSession(null, default, Refusal.SessionUnknown));
        var hash = KeyHash.Of(id);
        var now = _clock.Now;
        var known = _entries.GetValueOrDefault(hash);
        if (known is not null && known.IsAlive(now) && (!_shared.IsConfigured || now - known.CheckedAt < BelievedFor))
        {
            if (extends) known.IdleUntil = now + Options.IdleLifetime;
            return new(Found(hash, known));
        }
        if (known is { Session: null }) return new(new FoundSession(null, hash, Refusal.SessionEnded));
        if (known is null && !_ids.IsMadeHere(id))
        {
            // While Redis is away, this node may not know the keys of other nodes.
            return new(new FoundSession(null, hash, IsAway ? Refusal.SessionsAway : Refusal.SessionUnknown));
        }
        return _shared.IsConfigured ? FindSharedAsync(hash, known, extends)
            : new(new FoundSession(null, hash, Refusal.SessionEnded));
    }

    /// <summary>Checks whether a session goes on, and leaves its idle time as it is.</summary>
    /// <param name="name">The hash of the cookie's value. The session was found on this node before.</param>
    /// <returns>
    /// Why the session does not go on, and until when this holds unless <see cref="Ended"/> changes.
    /// </returns>
    public ValueTask<(Refusal Refusal, DateTimeOffset Until)> CheckAsync(KeyHash name)
    {
        var now = _clock.Now;
        var known = _entries.GetValueOrDefault(name);
        if (known is { Session: null }) return new((Refusal.SessionEnded, now));
        if (!_shared.IsConfigured) return new(CheckMemory(known, now, DateTimeOffset.MaxValue));
        return known is not null && known.IsAlive(now) && now - known.CheckedAt < BelievedByStreams
            ? new(CheckMemory(known, now, known.CheckedAt + BelievedByStreams)) : CheckSharedAsync(name, known);
    }

    private static (Refusal Refusal, DateTimeOffset Until) CheckMemory(
        Entry? known, DateTimeOffset now, DateTimeOffset atMost) =>
        known is not null && known.IsAlive(now)
            ? (Refusal.None, Earlier(atMost, Earlier(known.IdleUntil, known.EndsAt))) : (Refusal.SessionEnded, now);

    /// <summary>Returns a session that this node has in memory.</summary>
    public Session? Peek(KeyHash name) => _entries.GetValueOrDefault(name)?.Session;

    /// <summary>Reads a session as other nodes may have replaced it. Its idle time stays as it is.</summary>
    /// <returns>The session, or null if it has ended, and whether Redis is away.</returns>
    public async Task<(Session? Session, bool IsAway)> ReadAgainAsync(KeyHash name)
    {
        if (!_shared.IsConfigured) return (Peek(name), false);
        var (found, idleLeft, isAway) = await _shared.PeekAsync(name);
        if (found is not null) Renew(name, found, idleLeft);
        return (found, isAway);
    }

    /// <summary>Replaces a session on all nodes. Its idle time and its end stay as they are.</summary>
    /// <returns>False if the session has ended; null if Redis has not answered.</returns>
    public async Task<bool?> ReplaceAsync(KeyHash name, Session session)
    {
        var stored = _shared.IsConfigured ? await _shared.ReplaceAsync(name, session) : true;
        if (stored != false) Renew(name, session, idleLeft: null);
        return stored;
    }

    private void Renew(KeyHash name, Session session, TimeSpan? idleLeft)
    {
        var now = _clock.Now;
        _entries.AddOrUpdate(name, _ => Seen(session, idleLeft: idleLeft), (_, before) =>
            before.Session is null ? before : Seen(session, before.EndsAt, idleLeft ?? before.IdleUntil - now));
    }

    /// <summary>Ends a session on all nodes.</summary>
    public async Task EndAsync(KeyHash name)
    {
        Forget(name);
        if (_shared.IsConfigured) await _shared.RemoveAsync(name);
    }

    /// <summary>Ends the sessions of a login, or of all logins of a user, on all nodes.</summary>
    /// <returns>False if Redis is away, so that sessions may go on on other nodes.</returns>
    public async Task<bool> EndAllAsync(string issuer, string? subject, string? login)
    {
        var (mark, order) = (Session.Mark(issuer, subject, login), _order.NextPurge());
        EndMarked(mark, order);
        return !_shared.IsConfigured || await _shared.MarkAsync(mark, order, Options.AbsoluteLifetime);
    }

    private bool IsMarked(Session session) =>
        session.Marks().Any(mark => _marks.TryGetValue(mark, out var marked) && marked.Order >= session.Order);

    // After Redis was away, it may have lost logouts, and may contain ended sessions again.
    private void TellAgain()
    {
        var now = _clock.Now;
        foreach (var (mark, marked) in _marks)
        {
            _shared.MarkLater(mark, marked.Order, marked.At + Options.AbsoluteLifetime - now);
        }
        foreach (var (hash, entry) in _entries)
        {
            if (entry.WasEnded) _shared.RemoveLater(hash);
        }
    }

    private void EndMarked(string mark, long order)
    {
        Sweep();
        var marked = (order, _clock.Now);
        _marks.AddOrUpdate(mark, marked, (_, known) => known.Order > order ? known : marked);
        foreach (var (hash, entry) in _entries)
        {
            if (entry.Session is { } session && session.Order <= order && session.Marks().Contains(mark)) Forget(hash);
        }
    }

    // The value of an ended session is never used again. After the idle lifetime, Redis has removed the session too.
    private void Forget(KeyHash hash)
    {
        Sweep();
        var now = _clock.Now;
        _entries[hash] = new Entry(null, now) { IdleUntil = now + Options.IdleLifetime, WasEnded = true };
        Interlocked.Increment(ref _ended);
    }

    private async ValueTask<FoundSession> FindSharedAsync(KeyHash hash, Entry? known, bool extends)
    {
        Sweep();
        var (found, idleLeft, isAway) = extends
            ? await _shared.FindAsync(hash, Options.IdleLifetime) : await _shared.PeekAsync(hash);
        var now = _clock.Now;
        // While Redis is away, the node serves the sessions that it has in memory.
        if (isAway)
        {
            if (known?.IsAlive(now) != true) return new(null, hash, Refusal.SessionsAway);
            (found, idleLeft) = (known.Session, extends ? Options.IdleLifetime : known.IdleUntil - now);
        }
        if (found is not null && IsMarked(found))
        {
            // Redis has lost the mark, or does not know it yet.
            Forget(hash);
            found = null;
            known = null;
        }
        if (found is null || _clock.FromWall(found.EndsAt) <= now)
        {
            // Remember for a minute that the session has ended, so that its next requests do not ask Redis.
            var ended = new Entry(null, now) { IdleUntil = now + BetweenSweeps };
            _entries.AddOrUpdate(hash, ended, (_, before) => before == known ? ended : before);
            Interlocked.Increment(ref _ended);
            return new(null, hash, Refusal.SessionEnded);
        }
        return Found(hash, _entries.AddOrUpdate(
            hash, _ => Seen(found, idleLeft: idleLeft),
            (_, before) => before.Session is null ? before : Seen(found, before.EndsAt, idleLeft)));
    }

    private async ValueTask<(Refusal Refusal, DateTimeOffset Until)> CheckSharedAsync(KeyHash hash, Entry? known)
    {
        var (found, idleLeft, isAway) = await _shared.PeekAsync(hash);
        var now = _clock.Now;
        // While Redis is away, a session lasts as long as this node knows.
        if (isAway) return CheckMemory(known, now, now + BelievedFor);
        if (found is null || IsMarked(found) || _clock.FromWall(found.EndsAt) <= now)
        {
            return (Refusal.SessionEnded, now);
        }
        var kept = _entries.AddOrUpdate(hash, _ => Seen(found, idleLeft: idleLeft),
            (_, before) => before.Session is null ? before : Seen(found, before.EndsAt, idleLeft));
        return CheckMemory(kept, now, now + BelievedByStreams);
    }

    private FoundSession Found(KeyHash hash, Entry entry) => entry.Session is { } session
        ? new(session, hash, Refusal.None, _clock.ToWall(Earlier(entry.IdleUntil, entry.EndsAt)))
        : new(null, hash, Refusal.SessionEnded);

    // A node whose clock is ahead must not extend the absolute lifetime.
    private Entry Seen(Session session, DateTimeOffset? endsAtMost = null, TimeSpan? idleLeft = null)
    {
        var now = _clock.Now;
        var endsAt = Earlier(_clock.FromWall(session.EndsAt), now + Options.AbsoluteLifetime);
        return new Entry(session, now)
        {
            IdleUntil = now + (idleLeft ?? Options.IdleLifetime),
            EndsAt = Earlier(endsAt, endsAtMost ?? endsAt),
        };
    }

    private static DateTimeOffset Earlier(DateTimeOffset one, DateTimeOffset other) => one < other ? one : other;

    // Once a minute, remove ended sessions. There may be many, so the work is done on the thread pool.
    private void Sweep()
    {
        var now = _clock.Now;
        var last = Interlocked.Read(ref _sweptAt);
        if (now.Ticks - last < BetweenSweeps.Ticks) return;
        if (Interlocked.CompareExchange(ref _sweptAt, now.Ticks, last) != last) return;
        ThreadPool.UnsafeQueueUserWorkItem(store => store.Sweep(now), this, preferLocal: false);
    }

    private void Sweep(DateTimeOffset now)
    {
        foreach (var (hash, entry) in _entries)
        {
            if (entry.IdleUntil <= now || entry.EndsAt <= now) _entries.TryRemove(KeyValuePair.Create(hash, entry));
        }
        foreach (var (mark, marked) in _marks)
        {
            if (marked.At + Options.AbsoluteLifetime < now) _marks.TryRemove(KeyValuePair.Create(mark, marked));
        }
    }

    /// <summary>
    /// An entry without a session records that the session has ended. Times are those of the steady clock.
    /// </summary>
    private sealed class Entry(Session? session, DateTimeOffset checkedAt)
    {
        private long _idleUntil;

        public Session? Session => session;

        public DateTimeOffset CheckedAt => checkedAt;

        /// <summary>Whether a logout ended the session.</summary>
        public bool WasEnded { get; init; }

        /// <summary>When the absolute lifetime ends.</summary>
        public DateTimeOffset EndsAt { get; init; } = DateTimeOffset.MaxValue;

        public DateTimeOffset IdleUntil
        {
            get => new(Interlocked.Read(ref _idleUntil), TimeSpan.Zero);
            set => Interlocked.Exchange(ref _idleUntil, value.UtcTicks);
        }

        public bool IsAlive(DateTimeOffset now) => session is not null && now < IdleUntil && now < EndsAt;
    }
}

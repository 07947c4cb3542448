using System.Collections.Concurrent;
using Gateway.Redis;
using Gateway.Runtime;
using Microsoft.Extensions.Options;

namespace Gateway.Callers.Sessions;

/// <summary>What was found of a session.</summary>
/// <param name="Session">Null: there is none.</param>
/// <param name="Name">The hash of the browser's name for it.</param>
/// <param name="Refusal">Why there is none.</param>
/// <param name="IdleUntil">When it ends if nothing is asked with it.</param>
internal readonly record struct FoundSession(Session? Session, KeyHash Name, Refusal Refusal, DateTimeOffset IdleUntil = default);

/// <summary>
/// All sessions: in this node's memory, and, where there is a Redis, there, so that any node serves any session. Memory
/// is believed for a few seconds, and a session that has ended anywhere is taken out of it at once. Neither place has
/// the browser's name for a session, but its hash.
/// </summary>
internal sealed class SessionStore
{
    /// <summary>For how long memory is believed where a message of a logout may have been lost.</summary>
    private static readonly TimeSpan BelievedFor = TimeSpan.FromSeconds(5), BetweenSweeps = TimeSpan.FromMinutes(1);

    private readonly SharedSessions _shared;
    private readonly SessionIds _ids;
    private readonly FetchOrder _order;
    private readonly IOptionsMonitor<AuthenticationOptions> _options;
    private readonly SteadyClock _clock;
    private readonly ConcurrentDictionary<KeyHash, Entry> _entries = new();
    private readonly ConcurrentDictionary<string, (long Order, DateTimeOffset At)> _marks = new(StringComparer.Ordinal);
    private long _sweptAt;

    public SessionStore(
        SharedSessions shared, SessionIds ids, FetchOrder order, IOptionsMonitor<AuthenticationOptions> options, SteadyClock clock)
    {
        (_shared, _ids, _order, _options, _clock) = (shared, ids, order, options, clock);
        _sweptAt = clock.Now.Ticks;
        shared.Ended += Forget;
        shared.Marked += EndMarked;
        shared.Returned += TellAgain;
    }

    /// <summary>Whether no session can be started, and none looked up that this node has not seen of late.</summary>
    public bool IsAway => _shared.IsAway;

    private OidcOptions Options => _options.CurrentValue.Oidc;

    /// <summary>Keeps a new session.</summary>
    /// <param name="id">The browser's name for it.</param>
    /// <returns>
    /// Why there is none: Redis is away, so that no other node would know of it, or it has ended while it began.
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

    /// <summary>The session of that name, which is in use, and so not idle.</summary>
    public ValueTask<FoundSession> FindAsync(ReadOnlySpan<char> id)
    {
        if (!SessionIds.MayBeId(id)) return new(new FoundSession(null, default, Refusal.SessionUnknown));
        var hash = KeyHash.Of(id);
        var now = _clock.Now;
        var known = _entries.GetValueOrDefault(hash);
        if (known is not null && known.IsAlive(now) && (!_shared.IsConfigured || now - known.CheckedAt < BelievedFor))
        {
            known.IdleUntil = now + Options.IdleLifetime;
            return new(Found(hash, known));
        }
        if (known is { Session: null }) return new(new FoundSession(null, hash, Refusal.SessionEnded));
        if (known is null && !_ids.IsMadeHere(id))
        {
            // While Redis is away, the keys that other nodes have made may be unknown here.
            return new(new FoundSession(null, hash, IsAway ? Refusal.SessionsAway : Refusal.SessionUnknown));
        }
        return _shared.IsConfigured ? FindSharedAsync(hash, known)
            : new(new FoundSession(null, hash, Refusal.SessionEnded));
    }

    /// <summary>Ends a session on all nodes.</summary>
    public async Task EndAsync(KeyHash name)
    {
        Forget(name);
        if (_shared.IsConfigured) await _shared.RemoveAsync(name);
    }

    /// <summary>Ends the sessions of a login, or of all logins of a user, on all nodes.</summary>
    /// <returns>False: Redis is away, so that others may go on.</returns>
    public async Task<bool> EndAllAsync(string issuer, string? subject, string? login)
    {
        var (mark, order) = (Session.Mark(issuer, subject, login), _order.NextPurge());
        EndMarked(mark, order);
        return !_shared.IsConfigured || await _shared.MarkAsync(mark, order, Options.AbsoluteLifetime);
    }

    private bool IsMarked(Session session) =>
        session.Marks().Any(mark => _marks.TryGetValue(mark, out var marked) && marked.Order >= session.Order);

    // A Redis that is back may have lost what it was told, and then have sessions again that have ended.
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

    // For good: no session has the name of one that has ended. After the idle lifetime it is gone from Redis by itself.
    private void Forget(KeyHash hash)
    {
        Sweep();
        var now = _clock.Now;
        _entries[hash] = new Entry(null, now) { IdleUntil = now + Options.IdleLifetime, WasEnded = true };
    }

    private async ValueTask<FoundSession> FindSharedAsync(KeyHash hash, Entry? known)
    {
        Sweep();
        var (found, isAway) = await _shared.FindAsync(hash, Options.IdleLifetime);
        var now = _clock.Now;
        // Nodes go on alone with what they know.
        if (isAway) found = known is not null && known.IsAlive(now) ? known.Session : null;
        if (isAway && found is null) return new(null, hash, Refusal.SessionsAway);
        if (found is not null && IsMarked(found))
        {
            // Redis has lost the mark, or has yet to be told of it.
            Forget(hash);
            found = null;
            known = null;
        }
        if (found is null || _clock.FromWall(found.EndsAt) <= now)
        {
            // Kept for a minute, so that a page that goes on with it does not cost a trip each time.
            var ended = new Entry(null, now) { IdleUntil = now + BetweenSweeps };
            _entries.AddOrUpdate(hash, ended, (_, before) => before == known ? ended : before);
            return new(null, hash, Refusal.SessionEnded);
        }
        return Found(hash, _entries.AddOrUpdate(
            hash, _ => Seen(found), (_, before) => before.Session is null ? before : Seen(found, before.EndsAt)));
    }

    private FoundSession Found(KeyHash hash, Entry entry) => entry.Session is { } session
        ? new(session, hash, Refusal.None, _clock.ToWall(Earlier(entry.IdleUntil, entry.EndsAt)))
        : new(null, hash, Refusal.SessionEnded);

    // A login that another clock dates later than this one lasts no longer for that.
    private Entry Seen(Session session, DateTimeOffset? endsAtMost = null)
    {
        var now = _clock.Now;
        var endsAt = Earlier(_clock.FromWall(session.EndsAt), now + Options.AbsoluteLifetime);
        return new Entry(session, now)
        {
            IdleUntil = now + Options.IdleLifetime,
            EndsAt = Earlier(endsAt, endsAtMost ?? endsAt),
        };
    }

    private static DateTimeOffset Earlier(DateTimeOffset one, DateTimeOffset other) => one < other ? one : other;

    // Once a minute whoever comes by has what has ended taken out, on the thread pool: there may be many sessions.
    private void Sweep()
    {
        var now = _clock.Now;
        var last = Interlocked.Read(ref _sweptAt);
        if (now.Ticks - last < BetweenSweeps.Ticks || Interlocked.CompareExchange(ref _sweptAt, now.Ticks, last) != last) return;
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
    /// What this node knows of a session; without one, that it has ended. Times are by the steady clock.
    /// </summary>
    private sealed class Entry(Session? session, DateTimeOffset checkedAt)
    {
        private long _idleUntil;

        public Session? Session => session;

        public DateTimeOffset CheckedAt => checkedAt;

        /// <summary>Whether it has ended by a logout, and not only by its time.</summary>
        public bool WasEnded { get; init; }

        /// <summary>When the session ends, come what may.</summary>
        public DateTimeOffset EndsAt { get; init; } = DateTimeOffset.MaxValue;

        public DateTimeOffset IdleUntil
        {
            get => new(Interlocked.Read(ref _idleUntil), TimeSpan.Zero);
            set => Interlocked.Exchange(ref _idleUntil, value.UtcTicks);
        }

        public bool IsAlive(DateTimeOffset now) => session is not null && now < IdleUntil && now < EndsAt;
    }
}

using System.Collections.Concurrent;
using System.Diagnostics;
using Gateway.Runtime;
using Microsoft.Extensions.Options;

namespace Gateway.Callers.Sessions;

/// <summary>
/// Finds sessions, and asks the identity provider again about those whose last check is older than <see
/// cref="OidcOptions.RecheckInterval"/>. A session that the provider has ended ends on all nodes. While the provider is
/// away, a session goes on for one more interval.
/// </summary>
internal sealed partial class CheckedSessions(
    SessionStore store, SharedSessions shared, SessionRefresh refresh, IOptionsMonitor<AuthenticationOptions> options,
    TimeProvider clock, SteadyClock steady, ILogger<CheckedSessions> logger)
{
    // How long nothing is asked after a failure.
    private static readonly TimeSpan BackOff = TimeSpan.FromSeconds(5);

    // How long requests wait for another node that asks, and how often they look.
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(6),
        BetweenLooks = TimeSpan.FromMilliseconds(100);

    // A lock outlasts all requests of a check, so that no other node uses the same refresh token.
    private static readonly TimeSpan LockLifetime = TimeSpan.FromSeconds(15), LongestCheck = TimeSpan.FromSeconds(12);

    private const int StoreAttempts = 3, MostPaused = 10_000;

    private readonly ConcurrentDictionary<KeyHash, Lazy<Task<Refusal>>> _checks = new();
    private readonly ConcurrentDictionary<KeyHash, DateTimeOffset> _paused = new();
    // In ticks of the steady clock; 0 while the provider answers.
    private long _askAgainAt;

    /// <inheritdoc cref="SessionStore.Ended"/>
    public long Ended => store.Ended;

    private TimeSpan Interval => options.CurrentValue.Oidc.RecheckInterval;

    /// <summary>Finds a session by the cookie's value.</summary>
    public ValueTask<FoundSession> FindAsync(ReadOnlySpan<char> id, SessionUse use)
    {
        var finding = store.FindAsync(id, extends: use is SessionUse.Request or SessionUse.EventStream);
        // A logout must not depend on the provider.
        if (Interval == TimeSpan.Zero || use == SessionUse.Logout) return finding;
        if (!finding.IsCompletedSuccessfully) return CheckAsync(finding.AsTask());
        var found = finding.Result;
        return IsDue(found.Session) ? CheckAsync(Task.FromResult(found)) : new(found);
    }

    /// <inheritdoc cref="SessionStore.CheckAsync"/>
    public async ValueTask<(Refusal Refusal, DateTimeOffset Until, Session? Session)> CheckAsync(KeyHash name)
    {
        var (refusal, until) = await store.CheckAsync(name);
        var session = store.Peek(name);
        if (refusal != Refusal.None || Interval == TimeSpan.Zero) return (refusal, until, session);
        if (IsDue(session))
        {
            refusal = await CheckOnceAsync(name, session!);
            session = store.Peek(name);
        }
        if (session?.CheckedAt is not { } checkedAt) return (refusal, until, session);
        // While the provider is away, the session is looked at again soon.
        var due = IsDue(session) ? steady.Now + BackOff : steady.FromWall(checkedAt + Interval);
        return (refusal, due < until ? due : until, session);
    }

    private async ValueTask<FoundSession> CheckAsync(Task<FoundSession> finding)
    {
        var found = await finding;
        if (!IsDue(found.Session)) return found;
        var refusal = await CheckOnceAsync(found.Name, found.Session!);
        return refusal == Refusal.None ? found with { Session = store.Peek(found.Name) ?? found.Session }
            : found with { Session = null, Refusal = refusal };
    }

    private bool IsDue(Session? session) => session is { RefreshToken: not null, CheckedAt: { } checkedAt }
        && checkedAt + Interval <= clock.GetUtcNow();

    // All requests of a session share one check. While the provider fails, they do not wait for it.
    private async Task<Refusal> CheckOnceAsync(KeyHash name, Session session)
    {
        var isFailing = Interlocked.Read(ref _askAgainAt) != 0;
        var check = CheckOnceAsync(name, _checks.GetOrAdd(name, _ => new(() => CheckNowAsync(name, session))));
        return isFailing && !check.IsCompleted && IfUnchecked(session) == Refusal.None ? Refusal.None : await check;
    }

    private async Task<Refusal> CheckOnceAsync(KeyHash name, Lazy<Task<Refusal>> check)
    {
        try
        {
            return await check.Value;
        }
        finally
        {
            _checks.TryRemove(KeyValuePair.Create(name, check));
        }
    }

    private async Task<Refusal> CheckNowAsync(KeyHash name, Session session)
    {
        if (_paused.TryGetValue(name, out var until) && steady.Now < until) return IfUnchecked(session);
        var waiting = Stopwatch.StartNew();
        while (true)
        {
            // Another node may have asked already.
            var (newest, isAway) = await store.ReadAgainAsync(name);
            // A refresh token must not be used unless the next one can be stored.
            if (isAway) return IfUnchecked(session);
            if (newest is null) return Refusal.SessionEnded;
            session = newest;
            if (!IsDue(session)) return Refusal.None;
            if (!MayAsk()) return IfUnchecked(session);
            var holder = Guid.NewGuid().ToString("N");
            var locked = await shared.LockAsync(name, holder, LockLifetime);
            if (locked == true)
            {
                var refusal = await CheckLockedAsync(name, session);
                await shared.UnlockAsync(name, holder);
                return refusal;
            }
            // Another node asks, or died while it asked. Or Redis takes no writes.
            if (locked is null || waiting.Elapsed >= LongestWait) return Pause(name, session);
            await Task.Delay(BetweenLooks);
        }
    }

    private async Task<Refusal> CheckLockedAsync(KeyHash name, Session session)
    {
        // Between the look and the lock, another node may have ended its check.
        var (newest, isAway) = await store.ReadAgainAsync(name);
        if (isAway) return IfUnchecked(session);
        if (newest is null) return Refusal.SessionEnded;
        if (!IsDue(newest)) return Refusal.None;
        using var deadline = new CancellationTokenSource(LongestCheck);
        var answer = await refresh.AskAsync(newest, next => StoreAsync(name, next), deadline.Token);
        if (answer.Session is { } renewed)
        {
            Interlocked.Exchange(ref _askAgainAt, 0);
            return await StoreAsync(name, renewed);
        }
        if (answer.IsEnded)
        {
            Interlocked.Exchange(ref _askAgainAt, 0);
            Log.Ended(logger, answer.Failure!.Reason);
            await store.EndAsync(name);
            return Refusal.SessionEnded;
        }
        Interlocked.Exchange(ref _askAgainAt, (steady.Now + BackOff).Ticks);
        var failure = answer.Failure!;
        Log.Failed(logger, failure.Reason, failure.Advice.Length > 0 ? $". Check {failure.Advice}" : "");
        return IfUnchecked(newest);
    }

    // After a failure, one session at a time tries whether the provider answers again.
    private bool MayAsk()
    {
        var at = Interlocked.Read(ref _askAgainAt);
        if (at == 0) return true;
        var now = steady.Now;
        return now.Ticks >= at && Interlocked.CompareExchange(ref _askAgainAt, (now + BackOff).Ticks, at) == at;
    }

    private async Task<Refusal> StoreAsync(KeyHash name, Session session)
    {
        for (var attempt = 1; ; attempt++)
        {
            switch (await store.ReplaceAsync(name, session))
            {
                case true: return Refusal.None;
                case false: return Refusal.SessionEnded;
                case null when attempt < StoreAttempts: await Task.Delay(BetweenLooks); break;
                default:
                    // Other nodes have only a refresh token that may be used up. This node goes on until then.
                    Log.NotStored(logger);
                    return Refusal.None;
            }
        }
    }

    private Refusal Pause(KeyHash name, Session session)
    {
        if (_paused.Count >= MostPaused) _paused.Clear();
        _paused[name] = steady.Now + BackOff;
        return IfUnchecked(session);
    }

    private Refusal IfUnchecked(Session session) =>
        session.CheckedAt + (2 * Interval) > clock.GetUtcNow() ? Refusal.None : Refusal.ProviderAway;

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Information, "The identity provider has ended a session: {Reason}")]
        public static partial void Ended(ILogger logger, string reason);

        [LoggerMessage(LogLevel.Warning, "The identity provider cannot be asked about sessions: {Reason}{Advice}")]
        public static partial void Failed(ILogger logger, string reason, string advice);

        [LoggerMessage(LogLevel.Warning, "Redis has not stored the next refresh token of a session; if its provider "
            + "accepts each token only once, the user logs in again")]
        public static partial void NotStored(ILogger logger);
    }
}

using System.Collections.Concurrent;
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
    // How long a node does not ask after a failure, and how long it waits for another node that asks.
    private static readonly TimeSpan BackOff = TimeSpan.FromSeconds(5), LongestWait = TimeSpan.FromSeconds(6),
        BetweenLooks = TimeSpan.FromMilliseconds(100);

    // Longer than a node may wait for two answers of the provider.
    private static readonly TimeSpan LockLifetime = TimeSpan.FromSeconds(15);

    private readonly ConcurrentDictionary<KeyHash, Lazy<Task<Refusal>>> _checks = new();
    private long _askAgainAt;

    /// <inheritdoc cref="SessionStore.Ended"/>
    public long Ended => store.Ended;

    private TimeSpan Interval => options.CurrentValue.Oidc.RecheckInterval;

    /// <inheritdoc cref="SessionStore.FindAsync"/>
    public ValueTask<FoundSession> FindAsync(ReadOnlySpan<char> id, bool extends)
    {
        var finding = store.FindAsync(id, extends);
        if (Interval == TimeSpan.Zero) return finding;
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

    // All requests of a session share one check.
    private async Task<Refusal> CheckOnceAsync(KeyHash name, Session session)
    {
        var check = _checks.GetOrAdd(name, _ => new(() => CheckNowAsync(name, session)));
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
        if (steady.Now.Ticks < Interlocked.Read(ref _askAgainAt)) return IfUnchecked(session);
        // Another node may have asked already, or be asking.
        var waitUntil = steady.Now + LongestWait;
        while (true)
        {
            var (newest, isAway) = await store.ReadAgainAsync(name);
            // A refresh token must not be used unless the next one can be stored.
            if (isAway) return IfUnchecked(session);
            if (newest is null) return Refusal.SessionEnded;
            session = newest;
            if (!IsDue(session)) return Refusal.None;
            if (await shared.LockAsync(name, LockLifetime)) break;
            if (steady.Now >= waitUntil) return IfUnchecked(session);
            await Task.Delay(BetweenLooks);
        }
        try
        {
            return await AskAsync(name, session);
        }
        finally
        {
            await shared.UnlockAsync(name);
        }
    }

    private async Task<Refusal> AskAsync(KeyHash name, Session session)
    {
        var (renewed, failure) = await refresh.AskAsync(session);
        if (renewed is not null)
        {
            if (await store.ReplaceAsync(name, renewed)) return Refusal.None;
            // The stored refresh token is used up.
            await store.EndAsync(name);
            return Refusal.SessionEnded;
        }
        if (failure!.Problem.Type == CallerProblems.LoginExpired)
        {
            Log.Ended(logger, failure.Reason);
            await store.EndAsync(name);
            return Refusal.SessionEnded;
        }
        Interlocked.Exchange(ref _askAgainAt, (steady.Now + BackOff).Ticks);
        Log.Failed(logger, failure.Reason, failure.Advice.Length > 0 ? $". Check {failure.Advice}" : "");
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
    }
}

using Gateway.Callers.Sessions;
using Gateway.Callers.Tokens;
using Gateway.Runtime;
using Gateway.Telemetry;
using Microsoft.Extensions.Options;

namespace Gateway.Callers;

/// <summary>
/// Step 2 of the request path: finds the one credential of a request and identifies its caller. A gateway key costs a
/// hash and a look-up. A request waits only for the keys of an identity provider, or for a session that this node has
/// not read recently.
/// </summary>
internal sealed class Identification : IDisposable
{
    private readonly CallerDirectory _directory;
    private readonly FailedAttemptLimiter _attempts;
    private readonly CheckedSessions _sessions;
    private readonly IOptionsMonitor<OriginOptions> _cors;
    private readonly RefusalMetrics _refusals;
    private readonly TimeProvider _clock;
    private readonly SteadyClock _steady;
    private readonly TokenProviders _tokens;
    private readonly string? _cookie;
    private readonly TimeSpan _clockSkew;

    public Identification(
        CallerDirectory directory, FailedAttemptLimiter attempts, CheckedSessions sessions,
        IOptionsMonitor<AuthenticationOptions> authentication, IOptionsMonitor<OriginOptions> cors,
        RefusalMetrics refusals, TimeProvider clock, SteadyClock steady, ILogger<ProviderConfiguration> logger)
    {
        (_directory, _attempts, _sessions, _cors) = (directory, attempts, sessions, cors);
        (_refusals, _clock, _steady) = (refusals, clock, steady);
        var options = authentication.CurrentValue;
        if (options.Oidc.IsConfigured) _cookie = SessionCookie.Name;
        _clockSkew = options.ClockSkewInForce;
        _tokens = new TokenProviders(authentication, clock, logger);
    }

    /// <summary>Returns the caller if the request carries a team's valid gateway key; otherwise null.</summary>
    public Caller? FindKey(HttpContext http)
    {
        var kind = PresentedCredential.Find(http.Request.Headers, _cookie, out var value);
        if (kind is not (Presented.Key or Presented.Bearer) || _directory.Find(value) is not { } known) return null;
        var caller = Check(known, value, FailedAttemptLimiter.SourceOf(http)).Caller;
        return caller is { IsOperator: false } ? caller : null;
    }

    public ValueTask<Identity> IdentifyAsync(HttpContext http, SessionUse use = SessionUse.Request)
    {
        var finding = FindAsync(http, use);
        return finding.IsCompletedSuccessfully ? new(Counted(finding.Result)) : WaitAsync(finding);

        async ValueTask<Identity> WaitAsync(ValueTask<Identity> pending) => Counted(await pending);
    }

    /// <summary>
    /// Whether the request carries a valid session. A request without the cookie counts as no failed attempt.
    /// </summary>
    public async ValueTask<bool> HasSessionAsync(HttpContext http) =>
        _cookie is not null && Cookies.Find(http.Request.Headers.Cookie, _cookie, out _) > 0
        && (await IdentifyAsync(http)).Session.Session is not null;

    /// <summary>Keeps the identity of a caller whose request lasts.</summary>
    /// <param name="identity">The result of <see cref="IdentifyAsync"/> for this request, with a caller.</param>
    public LastingIdentity Keep(HttpContext http, in Identity identity)
    {
        var session = identity.Session.Session;
        KeyHash? key = null;
        if (session is null && identity.Claims is null)
        {
            PresentedCredential.Find(http.Request.Headers, _cookie, out var value);
            key = KeyHash.Of(value);
        }
        return new LastingIdentity(identity.Caller!, key, identity.Claims ?? session?.ClaimSet(),
            session is null ? null : identity.Session.Name);
    }

    /// <summary>Changes with the configuration of callers, and when a session ends.</summary>
    public (object Directory, long EndedSessions) Version => (_directory.Version, _sessions.Ended);

    /// <summary>
    /// Checks a lasting identity: the key is configured and valid, the token has not expired, the session has not
    /// ended. The caller's teams become those of the configuration in force. A session is not extended.
    /// </summary>
    public async ValueTask<Refusal> RecheckAsync(LastingIdentity identity)
    {
        var version = _directory.Version;
        if (identity.Session is { } name)
        {
            (var refusal, identity.HoldsUntil, var session) = await _sessions.CheckAsync(name);
            if (refusal != Refusal.None) return refusal;
            // The provider may have given other claims since.
            if (session is not null && identity.Claims != session.ClaimSet())
            {
                identity.Claims = session.ClaimSet();
                identity.Version = null;
            }
        }
        else if (identity.Key is { } key)
        {
            if (_directory.Find(key) is not { Caller.IsOperator: false } known) return Refusal.Unknown;
            identity.Caller = known.Caller;
            identity.HoldsUntil = HoldsUntil(known.Validity.ExpiresAt);
            return known.Validity.At(_clock.GetUtcNow());
        }
        else
        {
            var expiresAt = identity.Claims!.Expiry + _clockSkew;
            if (expiresAt <= _clock.GetUtcNow()) return Refusal.TokenExpired;
            identity.HoldsUntil = HoldsUntil(expiresAt);
        }
        if (identity.Version != version) identity.Caller = Of(identity.Claims!);
        identity.Version = version;
        return Refusal.None;
    }

    private DateTimeOffset HoldsUntil(DateTimeOffset? expiresAt) =>
        expiresAt is { } time ? _steady.FromWall(time) : DateTimeOffset.MaxValue;

    public void Dispose() => _tokens.Dispose();

    private Identity Counted(Identity identity)
    {
        if (identity.Caller is null) _refusals.Refused(identity.Refusal.ToString());
        return identity;
    }

    private ValueTask<Identity> FindAsync(HttpContext http, SessionUse use)
    {
        switch (PresentedCredential.Find(http.Request.Headers, _cookie, out var value))
        {
            case Presented.Nothing: return new(Refusal.Missing);
            case Presented.Ambiguous: return new(Refusal.Ambiguous);
            case Presented.Malformed: return new(Refusal.Malformed);
            case Presented.Session: return IdentifySessionAsync(http.Request, value, use);
            case var kind:
                var source = FailedAttemptLimiter.SourceOf(http);
                if (_directory.Find(value) is { } known) return new(Check(known, value, source));
                if (kind == Presented.Bearer && _tokens.Any && MayBeToken(value))
                {
                    return VerifyAsync(value.ToString(), source);
                }
                var isDamaged = GatewayKey.IsMeant(value) && !GatewayKey.IsWhole(value);
                return new(Failed(isDamaged ? Refusal.Damaged : Refusal.Unknown, value, source));
        }
    }

    private Identity Check(KnownKey known, ReadOnlySpan<char> key, int source)
    {
        if (!_attempts.Allow(known, key, source, out var retryAfter))
        {
            return new(null, Refusal.TooManyAttempts, RetryAfter: retryAfter);
        }
        var refusal = known.Validity.At(_clock.GetUtcNow());
        return refusal == Refusal.None ? known.Caller : (Identity)refusal;
    }

    private async ValueTask<Identity> VerifyAsync(string token, int source)
    {
        var (claims, refusal) = await _tokens.VerifyAsync(token);
        if (claims is not null) return new Identity(Of(claims), Refusal.None, Claims: claims);
        // A token that the provider has signed is not a guess.
        return refusal is Refusal.TokenMalformed or Refusal.TokenAlgorithm or Refusal.TokenSignature
            ? Failed(refusal, token, source) : refusal;
    }

    private ValueTask<Identity> IdentifySessionAsync(HttpRequest request, ReadOnlySpan<char> id, SessionUse use)
    {
        var refusal = CookieRule.Check(request, _cors.CurrentValue, isEventStream: use == SessionUse.EventStream);
        if (refusal != Refusal.None) return new(refusal);
        var finding = _sessions.FindAsync(id, use);
        if (!finding.IsCompletedSuccessfully) return WaitAsync(finding);
        var found = finding.Result;
        // A forged cookie is detected without waiting, and counts like a wrong key.
        return new(found.Refusal == Refusal.SessionUnknown
            ? Failed(Refusal.SessionUnknown, id, FailedAttemptLimiter.SourceOf(request.HttpContext)) : Of(found));

        async ValueTask<Identity> WaitAsync(ValueTask<FoundSession> pending) => Of(await pending);
    }

    private Identity Of(FoundSession found) =>
        found.Session is not null ? new Identity(Of(found.Session.ClaimSet()), Refusal.None, found) : found.Refusal;

    // The subject appears in logs, and at some providers a client chooses its own.
    private Caller Of(ClaimSet claims) => new(LogText.Clean(claims.Subject), _directory.TeamsOf(claims))
    {
        Claims = claims,
        LeftOut = _directory.LeftOutOf(claims),
    };

    private Identity Failed(Refusal refusal, ReadOnlySpan<char> credential, int source) =>
        _attempts.Fail(source, credential, out var retryAfter)
            ? refusal : new Identity(null, Refusal.TooManyAttempts, RetryAfter: retryAfter);

    private static bool MayBeToken(ReadOnlySpan<char> value) => value.Contains('.') && !GatewayKey.IsMeant(value);
}

using Gateway.Problems;
using Gateway.Telemetry;
using Microsoft.Extensions.Options;

namespace Gateway.Callers.Sessions;

/// <summary>
/// Limits the requests that anonymous clients can cause at the identity provider. A login that begins may push a
/// request to the provider (RFC 9126), a login that returns redeems a code, and a wrong logout token costs the check
/// of a signature. Each is limited for a source (<see cref="OidcOptions.LoginsPerMinute"/>, <see
/// cref="AuthenticationOptions.FailedAttempts"/>). Logins are also limited for the node (<see
/// cref="OidcOptions.LoginsPerMinuteOfNode"/>).
/// </summary>
internal sealed partial class LoginLimits(
    IOptionsMonitor<AuthenticationOptions> options, RefusalMetrics metrics, TimeProvider clock,
    ILogger<LoginLimits> logger)
{
    // The indexes of the node's limits: logins that begin, and logins that return.
    private const int Begun = 0, Back = 1;

    private static readonly TimeSpan BetweenLines = TimeSpan.FromMinutes(1);

    private readonly SourceLimit _begun = new(clock), _back = new(clock), _wrongTokens = new(clock);
    private readonly SourceLimit _ofNode = new(clock, places: 2);
    // The source of the last valid logout token.
    private volatile int _provider;
    private volatile bool _knowsProvider;
    private long _lastLine;

    private AuthenticationOptions Options => options.CurrentValue;

    /// <summary>Takes a permit for a login that begins.</summary>
    /// <returns>Null if the login may go on.</returns>
    public Problem? Begin(HttpContext http) => Take(http, _begun, Begun);

    /// <summary>Takes a permit for a login that returns from the provider.</summary>
    /// <returns>Null if the login may go on.</returns>
    public Problem? ComeBack(HttpContext http) => Take(http, _back, Back);

    /// <summary>
    /// Checks whether a logout token may be verified. Tokens from the provider's source may always be verified: behind
    /// a proxy, wrong tokens can come from the same source, and must not block the provider's tokens.
    /// </summary>
    /// <returns>Null if the token may be verified.</returns>
    public Problem? CheckLogout(HttpContext http)
    {
        var source = FailedAttemptLimiter.SourceOf(http);
        if (_knowsProvider && _provider == source) return null;
        if (!_wrongTokens.IsSpent(source, Options.FailedAttempts, out var retryAfter)) return null;
        metrics.Refused(nameof(Refusal.TooManyAttempts));
        return Challenge.For(Refusal.TooManyAttempts) with { RetryAfter = retryAfter };
    }

    /// <summary>Records whether a logout token was valid.</summary>
    public void NoteLogout(HttpContext http, bool wasRight)
    {
        var source = FailedAttemptLimiter.SourceOf(http);
        if (!wasRight) _wrongTokens.TryTake(source, Options.FailedAttempts, out _);
        else (_provider, _knowsProvider) = (source, true);
    }

    private Problem? Take(HttpContext http, SourceLimit ofSource, int kind)
    {
        var options = Options.Oidc;
        if (ofSource.TryTake(FailedAttemptLimiter.SourceOf(http), options.LoginsPerMinute, out var retryAfter)
            && _ofNode.TryTake(kind, options.LoginsPerMinuteOfNode, out retryAfter)) return null;
        metrics.Refused("logins");
        if (MayLog()) Log.TooMany(logger, options.LoginsPerMinute, options.LoginsPerMinuteOfNode);
        return new Problem(CallerProblems.TooManyLogins, "Too many logins from this address, or from all of them.")
        {
            RetryAfter = retryAfter,
        };
    }

    private bool MayLog()
    {
        var (now, last) = (clock.GetElapsedTime(0, clock.GetTimestamp()).Ticks, Interlocked.Read(ref _lastLine));
        return (last == 0 || now - last >= BetweenLines.Ticks)
            && Interlocked.CompareExchange(ref _lastLine, now, last) == last;
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "Logins are refused: a source has begun more than {OfSource} in a minute, "
            + "or all sources together more than {OfNode}; gateway.refusals counts them")]
        public static partial void TooMany(ILogger logger, int ofSource, int ofNode);
    }
}

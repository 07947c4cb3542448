using Gateway.Problems;
using Gateway.Telemetry;
using Microsoft.Extensions.Options;

namespace Gateway.Callers.Sessions;

/// <summary>
/// Bounds what anybody can have the identity provider do, before it is asked: logins that are begun, each of which may
/// push a request to the provider (RFC 9126), logins that come back, each of which redeems a code, and wrong logout
/// tokens, each of which costs the check of a signature. Each has a limit for a source (<see
/// cref="OidcOptions.LoginsPerMinute"/>, <see cref="AuthenticationOptions.FailedAttempts"/>), and logins have one for
/// the node (<see cref="OidcOptions.LoginsPerMinuteOfNode"/>).
/// </summary>
internal sealed partial class LoginLimits(
    IOptionsMonitor<AuthenticationOptions> options, RefusalMetrics metrics, TimeProvider clock, ILogger<LoginLimits> logger)
{
    // The places of the node's own limits: one for logins that begin, one for those that come back.
    private const int Begun = 0, Back = 1;

    private static readonly TimeSpan BetweenLines = TimeSpan.FromMinutes(1);

    private readonly SourceLimit _begun = new(clock), _back = new(clock), _wrongTokens = new(clock);
    private readonly SourceLimit _ofNode = new(clock, places: 2);
    // The source that the provider's own logout tokens came from last.
    private volatile int _provider;
    private volatile bool _knowsProvider;
    private long _lastLine;

    private AuthenticationOptions Options => options.CurrentValue;

    /// <summary>Takes a permit for a login that begins.</summary>
    /// <returns>Null: the provider may be asked.</returns>
    public Problem? Begin(HttpContext http) => Take(http, _begun, Begun);

    /// <summary>Takes a permit for a login that comes back from the provider.</summary>
    /// <returns>Null: the provider may be asked.</returns>
    public Problem? ComeBack(HttpContext http) => Take(http, _back, Back);

    /// <summary>
    /// Whether a logout token may be looked at. Where the provider's own tokens come from they always are, so that
    /// wrong ones of the same source, as behind a proxy, do not stop them.
    /// </summary>
    /// <returns>Null: it may.</returns>
    public Problem? CheckLogout(HttpContext http)
    {
        var source = FailedAttemptLimiter.SourceOf(http);
        if (_knowsProvider && _provider == source) return null;
        if (!_wrongTokens.IsSpent(source, Options.FailedAttempts, out var retryAfter)) return null;
        metrics.Refused(nameof(Refusal.TooManyAttempts));
        return Challenge.For(Refusal.TooManyAttempts) with { RetryAfter = retryAfter };
    }

    /// <summary>Notes whether a logout token was the provider's.</summary>
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
            + "or all sources together more than {OfNode}; gateway.refusals counts how many")]
        public static partial void TooMany(ILogger logger, int ofSource, int ofNode);
    }
}

using Gateway.Telemetry;
using Microsoft.Extensions.Options;

namespace Gateway.Callers.Tokens;

/// <summary>
/// Verifies the access tokens of all configured providers. The issuer that a token names selects the one provider that
/// verifies it, so a key of one provider never verifies a token of another (RFC 8725, section 3.8).
/// </summary>
internal sealed partial class TokenProviders : IDisposable
{
    private static readonly TimeSpan LogInterval = TimeSpan.FromMinutes(1);

    private readonly Dictionary<string, (ProviderConfiguration Provider, TokenVerifier Verifier)> _byIssuer =
        new(StringComparer.Ordinal);

    private readonly TimeProvider _clock;
    private readonly ILogger _logger;
    private long _lastLine;

    public TokenProviders(IOptionsMonitor<AuthenticationOptions> authentication, TimeProvider clock,
        ILogger<ProviderConfiguration> logger)
    {
        (_clock, _logger) = (clock, logger);
        var options = authentication.CurrentValue;
        foreach (var (key, named) in options.Jwt.Providers)
        {
            // Files may change while the node runs. The providers themselves need a restart.
            var provider = new ProviderConfiguration(
                key, named.Authority, named.MetadataAddress, named.RequireHttpsMetadata,
                () => (authentication.CurrentValue.Jwt.Providers.FirstOrDefault(one => one.Key == key).Options ?? named)
                    .TlsFiles(key), clock, logger, named.InternalAddress);
            var audience = new TokenAudience(named.AudiencesInForce, named.ClientIds, named.ClientAudiences);
            _byIssuer[AuthenticationOptions.IssuerOf(named.Authority)] =
                (provider, new TokenVerifier(provider, audience, options.ClockSkewInForce, IsAccessToken, clock));
        }
    }

    /// <summary>Whether any provider is configured.</summary>
    public bool Any => _byIssuer.Count > 0;

    /// <returns>The claims, or why the token is refused.</returns>
    public ValueTask<(ClaimSet? Claims, Refusal Refusal)> VerifyAsync(string token)
    {
        var refusal = TokenVerifier.Read(token, out var read, out var issuer);
        if (refusal != Refusal.None) return new((null, refusal));
        if (_byIssuer.TryGetValue(AuthenticationOptions.IssuerOf(issuer), out var named))
        {
            return named.Verifier.VerifyAsync(read);
        }
        // The token is not verified, so anybody can have written the issuer.
        if (MayLog()) Log.Unknown(_logger, LogText.Clean(issuer));
        return new((null, Refusal.TokenIssuer));
    }

    public void Dispose()
    {
        foreach (var (provider, _) in _byIssuer.Values) provider.Dispose();
    }

    private bool MayLog()
    {
        var (now, last) = (_clock.GetTimestamp(), Interlocked.Read(ref _lastLine));
        return (last == 0 || _clock.GetElapsedTime(last, now) >= LogInterval)
            && Interlocked.CompareExchange(ref _lastLine, now, last) == last;
    }

    // RFC 9068, section 2.1. Most providers send JWT or no type. Tokens for other purposes have other types (RFC 8725,
    // section 3.11).
    private static bool IsAccessToken(string? type) =>
        string.IsNullOrEmpty(type) || type.Equals("JWT", StringComparison.OrdinalIgnoreCase)
        || type.Equals("at+jwt", StringComparison.OrdinalIgnoreCase)
        || type.Equals("application/at+jwt", StringComparison.OrdinalIgnoreCase);

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "A token names the issuer '{Issuer}', which is no Authority of "
            + "Authentication:Jwt, so it is refused; gateway.refusals counts such tokens")]
        public static partial void Unknown(ILogger logger, string issuer);
    }
}

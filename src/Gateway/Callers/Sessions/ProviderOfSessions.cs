using Gateway.Callers.Tokens;
using Microsoft.Extensions.Options;

namespace Gateway.Callers.Sessions;

/// <summary>The identity provider of browser sessions.</summary>
internal sealed class ProviderOfSessions : IDisposable
{
    private readonly TokenVerifier _logouts;

    public ProviderOfSessions(IOptionsMonitor<AuthenticationOptions> authentication, TimeProvider clock,
        ILogger<ProviderConfiguration> logger)
    {
        var all = authentication.CurrentValue;
        var options = all.Oidc;
        Configuration = new ProviderConfiguration(
            options.Authority, options.MetadataAddress, options.RequireHttpsMetadata,
            () => authentication.CurrentValue.Oidc.TlsFiles(), clock, logger);
        _logouts = new TokenVerifier(
            Configuration, new TokenAudience([options.ClientId], []), all.ClockSkewInForce, IsLogoutToken, clock);
    }

    public ProviderConfiguration Configuration { get; }

    public ValueTask<(ClaimSet? Claims, Refusal Refusal)> VerifyLogoutAsync(string token) =>
        _logouts.VerifyAsync(token);

    public void Dispose() => Configuration.Dispose();

    // OpenID Connect Back-Channel Logout 1.0, section 2.4: the type is recommended, but some providers leave it out.
    private static bool IsLogoutToken(string? type) =>
        string.IsNullOrEmpty(type) || type.Equals("JWT", StringComparison.OrdinalIgnoreCase)
        || type.Equals("logout+jwt", StringComparison.OrdinalIgnoreCase);
}

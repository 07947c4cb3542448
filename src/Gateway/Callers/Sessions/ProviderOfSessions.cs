using Gateway.Callers.Tokens;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;

namespace Gateway.Callers.Sessions;

/// <summary>The identity provider of browser sessions.</summary>
internal sealed class ProviderOfSessions : IDisposable
{
    private readonly TokenVerifier _logouts, _idTokens;
    private readonly ClientAuthentication _client;

    public ProviderOfSessions(IOptionsMonitor<AuthenticationOptions> authentication, ClientAuthentication client,
        TimeProvider clock, ILogger<ProviderConfiguration> logger)
    {
        _client = client;
        var all = authentication.CurrentValue;
        var options = all.Oidc;
        Configuration = new ProviderConfiguration(
            "Authentication:Oidc", options.Authority, options.MetadataAddress, options.RequireHttpsMetadata,
            () => authentication.CurrentValue.Oidc.TlsFiles(), clock, logger, options.InternalAddress);
        var audience = new TokenAudience([options.ClientId], [], []);
        _idTokens = new TokenVerifier(Configuration, audience, all.ClockSkewInForce, IsIdToken, clock);
        _logouts = new TokenVerifier(Configuration, audience, all.ClockSkewInForce, IsLogoutToken, clock);
    }

    public ProviderConfiguration Configuration { get; }

    /// <summary>Checks that the gateway can verify the provider's ID tokens.</summary>
    /// <exception cref="ProviderMismatchException">
    /// The provider signs by no algorithm that the gateway accepts.
    /// </exception>
    public static void CheckAlgorithms(OpenIdConnectConfiguration provider)
    {
        var published = provider.IdTokenSigningAlgValuesSupported;
        if (published.Count == 0 || published.Any(TokenVerifier.Algorithms.Contains)) return;
        throw new ProviderMismatchException(
            $"the provider signs ID tokens only by {string.Join(", ", published)}, and the gateway accepts "
            + string.Join(", ", TokenVerifier.Algorithms), "the algorithms of ID tokens at the provider");
    }

    /// <summary>Creates a handler for requests of logins.</summary>
    public HttpMessageHandler NewHandler() => new ProviderClient(Configuration, _client, Configuration.NewHandler());

    /// <summary>Creates a client for requests that belong to no login.</summary>
    public HttpClient NewClient() =>
        new(NewHandler()) { Timeout = TimeSpan.FromSeconds(5), MaxResponseContentBufferSize = 1024 * 1024 };

    /// <summary>Verifies an ID token that the provider issues after the login.</summary>
    public ValueTask<(ClaimSet? Claims, Refusal Refusal)> VerifyIdTokenAsync(string token) =>
        _idTokens.VerifyAsync(token);

    public ValueTask<(ClaimSet? Claims, Refusal Refusal)> VerifyLogoutAsync(string token) =>
        _logouts.VerifyAsync(token);

    public void Dispose() => Configuration.Dispose();

    private static bool IsIdToken(string? type) =>
        string.IsNullOrEmpty(type) || type.Equals("JWT", StringComparison.OrdinalIgnoreCase);

    // OpenID Connect Back-Channel Logout 1.0, section 2.4: the type is recommended, but some providers leave it out.
    private static bool IsLogoutToken(string? type) =>
        string.IsNullOrEmpty(type) || type.Equals("JWT", StringComparison.OrdinalIgnoreCase)
        || type.Equals("logout+jwt", StringComparison.OrdinalIgnoreCase);
}

using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;
using Microsoft.IdentityModel.Tokens;

namespace Gateway.Callers.Sessions;

/// <summary>
/// Authenticates the gateway to the identity provider (OpenID Connect Core 1.0, section 9): by its secret in a header
/// or in the form, or by an assertion that it signs (RFC 7523). The secret or key is read again at each use.
/// </summary>
internal sealed class ClientAuthentication(IOptionsMonitor<AuthenticationOptions> options, TimeProvider clock)
{
    public const string Basic = "client_secret_basic", Post = "client_secret_post", Assertion = "private_key_jwt";

    private const string AssertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

    private static readonly TimeSpan AssertionLifetime = TimeSpan.FromMinutes(1);

    private readonly JsonWebTokenHandler _handler = new() { SetDefaultTimesOnTokenCreation = false };

    private OidcOptions Options => options.CurrentValue.Oidc;

    /// <summary>
    /// Returns the method in force: the configured one; otherwise the first that the provider supports. A provider that
    /// publishes no list supports <see cref="Basic"/> (OpenID Connect Discovery 1.0, section 3).
    /// </summary>
    /// <returns>Null if the provider supports none of them.</returns>
    public static string? MethodFor(OidcOptions options, OpenIdConnectConfiguration provider)
    {
        if (options.ClientAuthentication.Length > 0) return options.ClientAuthentication;
        if (options.ClientKeyFile.Length > 0) return Assertion;
        var supported = provider.TokenEndpointAuthMethodsSupported;
        return supported is not { Count: > 0 } || supported.Contains(Basic) ? Basic
            : supported.Contains(Post) ? Post : null;
    }

    /// <summary>Adds the secret or the assertion to a form, unless the method needs the header.</summary>
    /// <exception cref="ProviderMismatchException">The provider supports no method of the gateway.</exception>
    /// <exception cref="IOException">The secret or key cannot be read.</exception>
    /// <exception cref="InvalidDataException">The key file has no private key.</exception>
    public void AddTo(OpenIdConnectMessage form, OpenIdConnectConfiguration provider)
    {
        switch (MethodFor(Options, provider))
        {
            case Post:
                form.ClientSecret = Options.ReadSecret();
                break;
            case Assertion:
                form.ClientAssertionType = AssertionType;
                form.ClientAssertion = CreateAssertion(provider);
                break;
            case null:
                throw new ProviderMismatchException(
                    "the provider supports none of client_secret_basic and client_secret_post, but "
                    + string.Join(", ", provider.TokenEndpointAuthMethodsSupported),
                    "Authentication:Oidc:ClientAuthentication");
        }
    }

    /// <summary>Returns the header of <see cref="Basic"/> (RFC 6749, section 2.3.1).</summary>
    /// <returns>Null if another method is in force.</returns>
    public AuthenticationHeaderValue? Header(OpenIdConnectConfiguration provider)
    {
        if (MethodFor(Options, provider) != Basic) return null;
        var pair = $"{Escape(Options.ClientId)}:{Escape(Options.ReadSecret())}";
        return new("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes(pair)));
    }

    // The form encoding writes a space as '+'.
    private static string Escape(string text) =>
        Uri.EscapeDataString(text).Replace("%20", "+", StringComparison.Ordinal);

    private string CreateAssertion(OpenIdConnectConfiguration provider)
    {
        using var key = ClientKey.Read(Options.ClientKeyFile);
        var now = clock.GetUtcNow().UtcDateTime;
        var audience = Options.ClientAssertionAudience;
        var descriptor = new SecurityTokenDescriptor
        {
            Issuer = Options.ClientId,
            Audience = audience.Length > 0 ? audience : provider.Issuer,
            IssuedAt = now,
            NotBefore = now,
            Expires = now + AssertionLifetime,
            Claims = new Dictionary<string, object>
            {
                ["sub"] = Options.ClientId,
                ["jti"] = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16)),
            },
            SigningCredentials = key.Credentials(Options.ClientKeyId),
        };
        if (key.CertificateHash is { } hash)
        {
            descriptor.AdditionalHeaderClaims = new Dictionary<string, object> { ["x5t#S256"] = hash };
        }
        return _handler.CreateToken(descriptor);
    }
}

using Gateway.Configuration;
using Gateway.Outbound;

namespace Gateway.Callers.Tokens;

/// <summary>JSON Web Tokens of one OpenID Connect provider as bearer tokens (RFC 9068).</summary>
internal sealed class JwtOptions
{
    /// <summary>The issuer of the provider. Empty (the default): no JWTs.</summary>
    public string Authority { get; set; } = "";

    /// <summary>
    /// The address of the provider's discovery document, if it is not at <c>/.well-known/openid-configuration</c>
    /// below <see cref="Authority"/>. The document must still name the authority as its issuer. Default empty.
    /// </summary>
    public string MetadataAddress { get; set; } = "";

    /// <summary>The audience that a token must have in <c>aud</c>.</summary>
    public string Audience { get; set; } = "";

    /// <summary>Whether the provider must be called by https. Default true.</summary>
    public bool RequireHttpsMetadata { get; set; } = true;

    /// <summary>
    /// A PEM file with the authority that signed the provider's certificate. Default empty: those that the system
    /// trusts. A renewed file counts for the next connection.
    /// </summary>
    public string CertificateAuthority { get; set; } = "";

    /// <summary>The tolerated difference to the provider's clock. Default 30 s; 0 to 5 min.</summary>
    public TimeSpan ClockSkew { get; set; } = TimeSpan.FromSeconds(30);

    public TlsFiles TlsFiles() => new("Authentication:Jwt", CertificateAuthority);

    public void Check(ConfigurationErrors errors)
    {
        errors.Range("Authentication:Jwt:ClockSkew", ClockSkew, TimeSpan.Zero, TimeSpan.FromMinutes(5));
        TlsFiles().Check(errors);
        if (Authority.Length == 0)
        {
            errors.Unless(Audience.Length + MetadataAddress.Length == 0,
                "Authentication:Jwt:Authority", "is missing; without the issuer, no token can be verified");
            return;
        }
        AuthenticationOptions.CheckProvider(
            errors, "Authentication:Jwt", Authority, MetadataAddress, RequireHttpsMetadata);
        errors.Unless(Audience.Length > 0,
            "Authentication:Jwt:Audience", "is missing; without it a token for any audience would be accepted");
    }
}

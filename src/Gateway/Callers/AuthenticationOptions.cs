using Gateway.Callers.Sessions;
using Gateway.Callers.Tokens;
using Gateway.Configuration;

namespace Gateway.Callers;

/// <summary>The authentication of callers, beside the gateway keys of <c>Teams</c> and <c>Operators</c>.</summary>
internal sealed class AuthenticationOptions
{
    public JwtOptions Jwt { get; set; } = new();

    public OidcOptions Oidc { get; set; } = new();

    /// <summary>
    /// The wrong credentials that one source may send in a minute before it is limited. Default 20; 0 to 10000. If 0,
    /// there is no limit.
    /// </summary>
    public int FailedAttempts { get; set; } = 20;

    /// <summary>Whether callers can present claims, in a token or in a session.</summary>
    public bool HasProvider => Jwt.Authority.Length + Oidc.Authority.Length > 0;

    public void Check(ConfigurationErrors errors)
    {
        Jwt.Check(errors);
        Oidc.Check(errors);
        errors.Range("Authentication:FailedAttempts", FailedAttempts, 0, 10_000);
    }

    /// <summary>Checks the issuer of an OpenID Connect provider.</summary>
    public static void CheckAuthority(ConfigurationErrors errors, string key, string authority, bool requireHttps)
    {
        var fine = Uri.TryCreate(authority, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https"
            && uri is { UserInfo: "", Query: "", Fragment: "" };
        errors.Unless(fine, key, "must be the provider's issuer, an absolute https address without query");
        if (!fine) return;
        errors.Unless(
            uri!.Scheme == "https" || !requireHttps, key, "must be https, unless RequireHttpsMetadata is false");
    }
}

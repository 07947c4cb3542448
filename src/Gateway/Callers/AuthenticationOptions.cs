using Gateway.Callers.Sessions;
using Gateway.Callers.Tokens;
using Gateway.Configuration;

namespace Gateway.Callers;

/// <summary>How callers prove who they are, beside the gateway keys of <c>Teams</c> and <c>Operators</c>.</summary>
internal sealed class AuthenticationOptions
{
    public JwtOptions Jwt { get; set; } = new();

    public OidcOptions Oidc { get; set; } = new();

    /// <summary>
    /// Credentials that one source may get wrong in a minute before it is slowed down. Default 20; 0: any number; at
    /// most 10000.
    /// </summary>
    public int FailedAttempts { get; set; } = 20;

    public void Check(ConfigurationErrors errors)
    {
        Jwt.Check(errors);
        Oidc.Check(errors);
        errors.Range("Authentication:FailedAttempts", FailedAttempts, 0, 10_000);
    }

    /// <summary>The address of an OpenID Connect provider, as its tokens name it.</summary>
    public static void CheckAuthority(ConfigurationErrors errors, string key, string authority, bool requireHttps)
    {
        var fine = Uri.TryCreate(authority, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https"
            && uri is { UserInfo: "", Query: "", Fragment: "" };
        errors.Unless(fine, key, "must be the provider's issuer, an absolute https address without query");
        if (fine) errors.Unless(uri!.Scheme == "https" || !requireHttps, key, "must be https, unless RequireHttpsMetadata is false");
    }
}

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

    /// <summary>Checks the issuer of an OpenID Connect provider, and the address of its metadata.</summary>
    public static void CheckProvider(
        ConfigurationErrors errors, string key, string authority, string metadataAddress, bool requireHttps)
    {
        CheckAddress($"{key}:Authority", authority, mayHaveQuery: false,
            "must be the provider's issuer, an absolute https address without query");
        if (metadataAddress.Length == 0) return;
        CheckAddress($"{key}:MetadataAddress", metadataAddress, mayHaveQuery: true,
            "must be the address of the provider's discovery document, an absolute https address");

        void CheckAddress(string path, string address, bool mayHaveQuery, string what)
        {
            var fine = Uri.TryCreate(address, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https"
                && uri is { UserInfo: "", Fragment: "" } && (mayHaveQuery || uri.Query.Length == 0);
            errors.Unless(fine, path, what);
            if (!fine) return;
            errors.Unless(
                uri!.Scheme == "https" || !requireHttps, path, "must be https, unless RequireHttpsMetadata is false");
        }
    }
}

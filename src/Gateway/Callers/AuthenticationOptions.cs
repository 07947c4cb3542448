using Gateway.Callers.Sessions;
using Gateway.Callers.Tokens;
using Gateway.Configuration;

namespace Gateway.Callers;

/// <summary>The authentication of callers, beside the gateway keys of <c>Teams</c> and <c>Operators</c>.</summary>
internal sealed class AuthenticationOptions
{
    public static readonly TimeSpan LargestClockSkew = TimeSpan.FromMinutes(5);

    public JwtOptions Jwt { get; set; } = new();

    public OidcOptions Oidc { get; set; } = new();

    /// <summary>
    /// The wrong credentials that one source may send in a minute before it is limited. Default 20; 0 to 10000. If 0,
    /// there is no limit.
    /// </summary>
    public int FailedAttempts { get; set; } = 20;

    /// <summary>
    /// The tolerated difference to the clocks of providers: for tokens, for logins and for logout tokens. Default 30 s;
    /// 0 to 5 min.
    /// </summary>
    public TimeSpan ClockSkew { get; set; } = TimeSpan.FromSeconds(30);

    public TimeSpan ClockSkewInForce => Jwt.ClockSkew ?? ClockSkew;

    /// <summary>Whether callers can present claims, in a token or in a session.</summary>
    public bool HasProvider => Issuers.Count > 0;

    /// <summary>The issuers whose callers can present claims, in a token or in a session.</summary>
    public IReadOnlyCollection<string> Issuers =>
        [.. Jwt.Providers.Select(provider => provider.Options.Authority).Append(Oidc.Authority)
            .Where(authority => authority.Length > 0).Select(IssuerOf).Distinct(StringComparer.Ordinal)];

    /// <summary>Returns an issuer as the gateway compares issuers: without a slash at the end.</summary>
    public static string IssuerOf(string authority) => authority.TrimEnd('/');

    public void Check(ConfigurationErrors errors)
    {
        errors.Range("Authentication:ClockSkew", ClockSkew, TimeSpan.Zero, LargestClockSkew);
        Jwt.Check(errors);
        Oidc.Check(errors);
        errors.Range("Authentication:FailedAttempts", FailedAttempts, 0, 10_000);
    }

    /// <summary>Checks the origin at which the gateway reaches a provider.</summary>
    public static void CheckInternal(ConfigurationErrors errors, string key, string address, bool requireHttps)
    {
        if (address.Length == 0) return;
        var fine = Uri.TryCreate(address, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https"
            && uri is { UserInfo: "", PathAndQuery: "/", Fragment: "" };
        errors.Unless(fine, $"{key}:InternalAddress",
            "must be an origin at which the gateway reaches the provider, such as https://login.internal:8443");
        errors.Unless(!fine || uri!.Scheme == "https" || !requireHttps, $"{key}:InternalAddress",
            "must be https, unless RequireHttpsMetadata is false");
    }

    public void Warn(ConfigurationErrors warnings) =>
        warnings.Unless(Jwt.ClockSkew is null, "Authentication:Jwt:ClockSkew",
            "is the former name of Authentication:ClockSkew, and also counts for logins and logout tokens");

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

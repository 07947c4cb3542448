using Gateway.Configuration;
using Gateway.Outbound;

namespace Gateway.Callers.Sessions;

/// <summary>Browser sessions: the OpenID Connect provider, and how long sessions last.</summary>
internal sealed class OidcOptions
{
    /// <summary>The issuer of the OpenID Connect provider. Empty (the default): no browser sessions.</summary>
    public string Authority { get; set; } = "";

    /// <summary>
    /// The address of the provider's discovery document, if it is not at <c>/.well-known/openid-configuration</c>
    /// below <see cref="Authority"/>. The document must still name the authority as its issuer. Default empty.
    /// </summary>
    public string MetadataAddress { get; set; } = "";

    public string ClientId { get; set; } = "";

    /// <summary>The secret of the confidential client.</summary>
    public string ClientSecret { get; set; } = "";

    /// <summary>A file that holds the secret, read again at each login.</summary>
    public string ClientSecretFile { get; set; } = "";

    /// <summary>The requested scopes. Empty: openid, profile and email.</summary>
    public List<string> Scopes { get; set; } = [];

    /// <summary>The claims that a page may see. Empty: sub, name, preferred_username and email.</summary>
    public List<string> UserClaims { get; set; } = [];

    /// <summary>A session ends this long after its last request. Default 30 min; 1 min to 1 day.</summary>
    public TimeSpan IdleLifetime { get; set; } = TimeSpan.FromMinutes(30);

    /// <summary>
    /// A session ends this long after its login, also if it is in use. Default 8 h; 1 min to 30 days.
    /// </summary>
    public TimeSpan AbsoluteLifetime { get; set; } = TimeSpan.FromHours(8);

    /// <summary>
    /// Logins that one source may begin in a minute, and as many that it may complete. A source is an IPv4 address or
    /// an IPv6 /64. Default 120; 0 means no limit; at most 100000.
    /// </summary>
    public int LoginsPerMinute { get; set; } = 120;

    /// <summary>The same limits for all sources of one node. Default 600; 0 means no limit; at most 1000000.</summary>
    public int LoginsPerMinuteOfNode { get; set; } = 600;

    /// <summary>Whether the provider must be called by https. Default true.</summary>
    public bool RequireHttpsMetadata { get; set; } = true;

    /// <summary>
    /// A PEM file with the authority that signed the provider's certificate. Default empty: those that the system
    /// trusts. A renewed file counts for the next connection.
    /// </summary>
    public string CertificateAuthority { get; set; } = "";

    /// <summary>Whether browser sessions are configured.</summary>
    public bool IsConfigured => Authority.Length > 0;

    public IReadOnlyList<string> ScopesInForce => Scopes.Count > 0 ? Scopes : ["openid", "profile", "email"];

    public IReadOnlyList<string> UserClaimsInForce =>
        UserClaims.Count > 0 ? UserClaims : ["sub", "name", "preferred_username", "email"];

    /// <summary>Reads the secret.</summary>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public string ReadSecret() =>
        ClientSecretFile.Length > 0 ? File.ReadAllText(ClientSecretFile).Trim() : ClientSecret;

    public TlsFiles TlsFiles() => new("Authentication:Oidc", CertificateAuthority);

    public void Check(ConfigurationErrors errors)
    {
        const string Key = "Authentication:Oidc";
        errors.Range($"{Key}:IdleLifetime", IdleLifetime, TimeSpan.FromMinutes(1), TimeSpan.FromDays(1));
        if (errors.Range($"{Key}:AbsoluteLifetime", AbsoluteLifetime, TimeSpan.FromMinutes(1), TimeSpan.FromDays(30)))
        {
            errors.Unless(
                IdleLifetime <= AbsoluteLifetime, $"{Key}:IdleLifetime", "must not be longer than AbsoluteLifetime");
        }
        errors.Range($"{Key}:LoginsPerMinute", LoginsPerMinute, 0, 100_000);
        errors.Range($"{Key}:LoginsPerMinuteOfNode", LoginsPerMinuteOfNode, 0, 1_000_000);
        TlsFiles().Check(errors);
        if (!IsConfigured)
        {
            errors.Unless((ClientId + ClientSecret + ClientSecretFile + MetadataAddress).Length == 0,
                $"{Key}:Authority", "is missing, so nobody can log in");
            return;
        }
        AuthenticationOptions.CheckProvider(errors, Key, Authority, MetadataAddress, RequireHttpsMetadata);
        errors.Unless(ClientId.Length > 0, $"{Key}:ClientId", "is missing");
        errors.Unless(ScopesInForce.Contains("openid"), $"{Key}:Scopes", "must contain openid");
        CheckSecret(errors, Key);
    }

    private void CheckSecret(ConfigurationErrors errors, string key)
    {
        if (ClientSecret.Length > 0 && ClientSecretFile.Length > 0)
        {
            errors.Add(key, "has both ClientSecret and ClientSecretFile; set one");
            return;
        }
        try
        {
            errors.Unless(ReadSecret().Length > 0, $"{key}:ClientSecret", "is missing, or its file is empty");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException
            or NotSupportedException)
        {
            errors.Add($"{key}:ClientSecretFile", $"the file cannot be read ({e.GetType().Name})");
        }
    }
}

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

    /// <summary>
    /// The origin at which the gateway reaches the provider, such as <c>http://login.internal:8080</c>, if it differs
    /// from that of the issuer. Browsers use the issuer's, and <c>iss</c> stays the authority. Default empty: they are
    /// the same.
    /// </summary>
    public string InternalAddress { get; set; } = "";

    public string ClientId { get; set; } = "";

    /// <summary>The secret of the confidential client.</summary>
    public string ClientSecret { get; set; } = "";

    /// <summary>A file that holds the secret, read again at each login.</summary>
    public string ClientSecretFile { get; set; } = "";

    /// <summary>
    /// How the gateway authenticates to the provider: <c>client_secret_basic</c>, <c>client_secret_post</c> or
    /// <c>private_key_jwt</c>. Empty (the default): the first of these for which there is a secret or a key and that
    /// the provider supports.
    /// </summary>
    public string ClientAuthentication { get; set; } = "";

    /// <summary>
    /// A PEM file with the private key for <c>private_key_jwt</c> (RFC 7523), read again at each login. If it also has
    /// a certificate, assertions name it in <c>x5t#S256</c>.
    /// </summary>
    public string ClientKeyFile { get; set; } = "";

    /// <summary>
    /// The <c>kid</c> of assertions. Empty (the default): the thumbprint of the public key (RFC 7638).
    /// </summary>
    public string ClientKeyId { get; set; } = "";

    /// <summary>
    /// The <c>aud</c> of assertions. Empty (the default): the provider's issuer. Some providers want the address of
    /// their token endpoint.
    /// </summary>
    public string ClientAssertionAudience { get; set; } = "";

    /// <summary>
    /// Whether to ask the provider's user info endpoint for further claims at a login. Default true.
    /// </summary>
    public bool UserInfo { get; set; } = true;

    /// <summary>
    /// Whether to keep the ID token of a session on the server and to name it to the provider's logout page as
    /// <c>id_token_hint</c> (OpenID Connect RP-Initiated Logout 1.0, section 2). Default false: no token reaches a
    /// browser.
    /// </summary>
    public bool IdTokenHint { get; set; }

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
    /// How often the provider is asked about a session that is in use, by its refresh token, so that a user who left a
    /// group or was locked out loses the session or its permissions. Default 0: the claims of the login apply as long
    /// as the session; otherwise 1 min to 1 day.
    /// </summary>
    public TimeSpan RecheckInterval { get; set; }

    /// <summary>
    /// Whether a logout revokes the session's refresh token (RFC 7009), if the provider has an endpoint for that. Turn
    /// it off if the provider then ends all logins of the user. Default true.
    /// </summary>
    public bool RevokeRefreshTokens { get; set; } = true;

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
        errors.Unless(RecheckInterval == TimeSpan.Zero
            || (RecheckInterval >= TimeSpan.FromMinutes(1) && RecheckInterval <= TimeSpan.FromDays(1)),
            $"{Key}:RecheckInterval", "must be 0, or from 00:01:00 to 1.00:00:00");
        errors.Range($"{Key}:LoginsPerMinute", LoginsPerMinute, 0, 100_000);
        errors.Range($"{Key}:LoginsPerMinuteOfNode", LoginsPerMinuteOfNode, 0, 1_000_000);
        TlsFiles().Check(errors);
        if (!IsConfigured)
        {
            string[] others =
                [ClientId, ClientSecret, ClientSecretFile, ClientKeyFile, MetadataAddress, InternalAddress];
            errors.Unless(others.All(other => other.Length == 0),
                $"{Key}:Authority", "is missing, so nobody can log in");
            return;
        }
        AuthenticationOptions.CheckProvider(errors, Key, Authority, MetadataAddress, RequireHttpsMetadata);
        AuthenticationOptions.CheckInternal(errors, Key, InternalAddress, RequireHttpsMetadata);
        errors.Unless(ClientId.Length > 0, $"{Key}:ClientId", "is missing");
        errors.Unless(ScopesInForce.Contains("openid"), $"{Key}:Scopes", "must contain openid");
        CheckSecret(errors, Key);
    }

    private void CheckSecret(ConfigurationErrors errors, string key)
    {
        errors.Unless(ClientAuthentication is "" or Sessions.ClientAuthentication.Basic
            or Sessions.ClientAuthentication.Post or Sessions.ClientAuthentication.Assertion,
            $"{key}:ClientAuthentication",
            "must be client_secret_basic, client_secret_post, private_key_jwt, or empty");
        var isByKey = ClientAuthentication == Sessions.ClientAuthentication.Assertion
            || (ClientAuthentication.Length == 0 && ClientKeyFile.Length > 0);
        if (isByKey)
        {
            errors.Unless((ClientSecret + ClientSecretFile).Length == 0, key,
                "has both a client secret and a client key; set one, or say which in ClientAuthentication");
            if (ClientKeyFile.Length == 0) errors.Add($"{key}:ClientKeyFile", "is missing; private_key_jwt needs it");
            else CheckFile(errors, $"{key}:ClientKeyFile", () => ClientKey.Read(ClientKeyFile).Dispose());
            return;
        }
        errors.Unless(ClientKeyFile.Length == 0, $"{key}:ClientKeyFile", "is not used by ClientAuthentication");
        if (ClientSecret.Length > 0 && ClientSecretFile.Length > 0)
        {
            errors.Add(key, "has both ClientSecret and ClientSecretFile; set one");
            return;
        }
        CheckFile(errors, $"{key}:ClientSecretFile", () =>
            errors.Unless(ReadSecret().Length > 0, $"{key}:ClientSecret", "is missing, or its file is empty"));
    }

    private static void CheckFile(ConfigurationErrors errors, string key, Action read)
    {
        try
        {
            read();
        }
        catch (InvalidDataException e)
        {
            errors.Add(key, e.Message);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException
            or NotSupportedException)
        {
            errors.Add(key, $"the file cannot be read ({e.GetType().Name})");
        }
    }
}

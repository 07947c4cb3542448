using Gateway.Configuration;
using Gateway.Outbound;

namespace Gateway.Callers.Tokens;

/// <summary>An OpenID Connect provider whose JSON Web Tokens callers send, and which of its tokens count.</summary>
internal class JwtProviderOptions
{
    /// <summary>The issuer of the provider. Default empty.</summary>
    public string Authority { get; set; } = "";

    /// <summary>
    /// The address of the provider's discovery document, if it is not at <c>/.well-known/openid-configuration</c>
    /// below <see cref="Authority"/>. The document must still name the authority as its issuer. Default empty.
    /// </summary>
    public string MetadataAddress { get; set; } = "";

    /// <summary>
    /// The origin at which the gateway reaches the provider, such as <c>http://login.internal:8080</c>, if it differs
    /// from that of the issuer. <c>iss</c> must still be the authority. Default empty: they are the same.
    /// </summary>
    public string InternalAddress { get; set; } = "";

    /// <summary>The audience that a token must have in <c>aud</c>. Default empty.</summary>
    public string Audience { get; set; } = "";

    /// <summary>Further audiences; a token needs one of all. Default empty.</summary>
    public List<string> Audiences { get; set; } = [];

    /// <summary>
    /// Clients whose access tokens are accepted by <c>client_id</c> or <c>azp</c>, for providers that put no usable
    /// audience into access tokens. Default empty: only the audience counts.
    /// </summary>
    public List<string> ClientIds { get; set; } = [];

    /// <summary>
    /// The audiences that a token of <see cref="ClientIds"/> may have, such as <c>account</c> of Keycloak. A token with
    /// any other audience is for another API. Default empty: such a token must have no audience.
    /// </summary>
    public List<string> ClientAudiences { get; set; } = [];

    /// <summary>Whether the provider must be called by https. Default true.</summary>
    public bool RequireHttpsMetadata { get; set; } = true;

    /// <summary>
    /// A PEM file with the authority that signed the provider's certificate. Default empty: those that the system
    /// trusts. A renewed file counts for the next connection.
    /// </summary>
    public string CertificateAuthority { get; set; } = "";

    /// <summary>All audiences.</summary>
    public IEnumerable<string> AudiencesInForce => Audience.Length > 0 ? [Audience, .. Audiences] : Audiences;

    /// <param name="key">The section of these options.</param>
    public TlsFiles TlsFiles(string key) => new(key, CertificateAuthority);

    /// <param name="key">The section of these options.</param>
    /// <param name="isRequired">Whether a missing authority is an error, also if nothing else is set.</param>
    public void Check(ConfigurationErrors errors, string key, bool isRequired)
    {
        TlsFiles(key).Check(errors);
        CheckList(errors, $"{key}:Audiences", Audiences);
        CheckList(errors, $"{key}:ClientIds", ClientIds);
        CheckList(errors, $"{key}:ClientAudiences", ClientAudiences);
        errors.Unless(ClientAudiences.Count == 0 || ClientIds.Count > 0, $"{key}:ClientAudiences",
            "is only for tokens of ClientIds, which is empty");
        errors.Unless(!ClientAudiences.Exists(ClientIds.Contains), $"{key}:ClientAudiences",
            "must not contain a client of ClientIds, because its ID tokens have this audience");
        var isAnythingSet = AudiencesInForce.Any() || ClientIds.Count > 0 || MetadataAddress.Length > 0
            || InternalAddress.Length > 0;
        if (Authority.Length == 0)
        {
            errors.Unless(
                !isRequired && !isAnythingSet, $"{key}:Authority", "is missing; without it, no token can be verified");
            return;
        }
        AuthenticationOptions.CheckProvider(errors, key, Authority, MetadataAddress, RequireHttpsMetadata);
        AuthenticationOptions.CheckInternal(errors, key, InternalAddress, RequireHttpsMetadata);
        errors.Unless(AudiencesInForce.Any() || ClientIds.Count > 0, $"{key}:Audience",
            "is missing, and so are Audiences and ClientIds; a token for any audience would be accepted");
    }

    private static void CheckList(ConfigurationErrors errors, string key, List<string> values)
    {
        for (var i = 0; i < values.Count; i++)
        {
            errors.Unless(!string.IsNullOrWhiteSpace(values[i]), $"{key}:{i}", "is empty");
        }
    }
}

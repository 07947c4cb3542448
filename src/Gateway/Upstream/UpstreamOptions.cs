using Gateway.Configuration;
using Gateway.Outbound;

namespace Gateway.Upstream;

/// <summary>The options of the upstream.</summary>
internal sealed class UpstreamOptions
{
    /// <summary>An absolute http or https address. A path in it precedes the path of the operation.</summary>
    public Uri BaseAddress { get; set; } = new("https://api.pixxel.space");

    /// <summary>How long one fetch may take, retries and body included. Default 10 s; 100 ms to 5 min.</summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// Whether the upstream gets the trace context (W3C <c>traceparent</c>) of the request that began a fetch. Default
    /// false: it gets the context of the gateway's own fill, and none if no traces are sent.
    /// </summary>
    public bool PropagateTraceContext { get; set; }

    /// <summary>
    /// A file with the upstream's own OpenAPI document, 3.0 to 3.2, as JSON or YAML, read at the start. The published
    /// document describes the <c>Routes</c> in the same way. Empty, the default: the published document describes
    /// routes by the configuration alone.
    /// </summary>
    public string OpenApiDocument { get; set; } = "";

    /// <summary>
    /// A PEM file with the authority that signed the upstream's certificate. Default empty: those that the system
    /// trusts. A renewed file counts for the next connection.
    /// </summary>
    public string CertificateAuthority { get; set; } = "";

    /// <summary>
    /// A PEM file with the certificate that the gateway shows to the upstream, and its key unless
    /// <see cref="ClientKey"/> names another file. Default empty: none. A renewed file counts for the next connection.
    /// </summary>
    public string ClientCertificate { get; set; } = "";

    /// <summary>A PEM file with the key of the certificate that the gateway shows to the upstream.</summary>
    public string ClientKey { get; set; } = "";

    /// <summary>The upstream credentials, by a name that teams refer to.</summary>
    public Dictionary<string, AccountOptions> Accounts { get; set; } = new(StringComparer.OrdinalIgnoreCase);

    public TlsFiles TlsFiles() => new("Upstream", CertificateAuthority, ClientCertificate, ClientKey);

    public void Check(ConfigurationErrors errors, IEnumerable<string> accountsInUse)
    {
        errors.Unless(BaseAddress is { IsAbsoluteUri: true, Scheme: "http" or "https" }, "Upstream:BaseAddress",
            "must be an absolute http or https address");
        if (BaseAddress is { IsAbsoluteUri: true })
        {
            errors.Unless(BaseAddress.Query.Length == 0 && BaseAddress.Fragment.Length == 0
                && BaseAddress.UserInfo.Length == 0, "Upstream:BaseAddress", "must not hold a query, fragment or user");
        }
        errors.Range("Upstream:Timeout", Timeout, TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(5));
        TlsFiles().Check(errors);
        errors.Unless(OpenApiDocument.Length == 0 || File.Exists(OpenApiDocument), "Upstream:OpenApiDocument",
            "names a file that does not exist");

        if (Accounts.Values.All(account => account.IsEmpty))
        {
            errors.Add("Upstream:Accounts:default:Credential", "no upstream credential is configured; set it "
                + "(environment: Upstream__Accounts__default__Credential), or set CredentialFile to a file that "
                + "holds it. To try the gateway without one, run the demo command");
            return;
        }
        var used = accountsInUse.ToHashSet(StringComparer.OrdinalIgnoreCase);
        foreach (var (name, account) in Accounts) account.Check(errors, name, used.Contains(name));
    }

    /// <summary>
    /// Adds a warning for each account with a credential that no team uses, and for certificates without use.
    /// </summary>
    public void Warn(ConfigurationErrors warnings, IEnumerable<string> accountsInUse, DateTimeOffset now)
    {
        TlsFiles().Warn(warnings, now);
        warnings.Unless(BaseAddress.Scheme == "https" || !TlsFiles().AreNamed, "Upstream:BaseAddress",
            "is an http address, so the certificates of Upstream are not used");
        var used = accountsInUse.ToHashSet(StringComparer.OrdinalIgnoreCase);
        // The account of the built-in configuration may be there before the first team.
        if (used.Count == 0) return;
        foreach (var (name, account) in Accounts)
        {
            warnings.Unless(
                account.IsEmpty || used.Contains(name), $"Upstream:Accounts:{name}", "no team uses this account");
        }
    }
}

using Gateway.Configuration;

namespace Gateway.Contract;

/// <summary>The published document, who may read it, and whether the upstream is held to it.</summary>
internal sealed class ContractOptions
{
    /// <summary>
    /// Whether the document and its page are there for everybody. Default true; false: they want a caller's credential.
    /// </summary>
    public bool Public { get; set; } = true;

    /// <summary>
    /// Where consumers reach the gateway, as the document says it. Empty, the default: where the document is.
    /// </summary>
    public string ServerUrl { get; set; } = "";

    /// <summary>Whom consumers ask. Default: the operators of this gateway.</summary>
    public string ContactName { get; set; } = "The operators of this gateway";

    /// <summary>An http or https address, or <c>mailto:</c>. Empty, the default: none.</summary>
    public string ContactUrl { get; set; } = "";

    /// <summary>How many jobs a second are checked for drift on one node. Default 10; 0 to 1000; 0: none.</summary>
    public int DriftChecksPerSecond { get; set; } = 10;

    public void Check(ConfigurationErrors errors)
    {
        errors.Unless(ServerUrl.Length == 0
            || (Uri.TryCreate(ServerUrl, UriKind.Absolute, out var server) && server.Scheme is "http" or "https"
            && ServerUrl[^1] != '/'),
            "Contract:ServerUrl", "must be an absolute http or https address, and not end with '/'");
        errors.Unless(ContactUrl.Length == 0
            || (Uri.TryCreate(ContactUrl, UriKind.Absolute, out var contact)
            && contact.Scheme is "http" or "https" or "mailto"),
            "Contract:ContactUrl", "must be an http, https or mailto address");
        errors.Unless(ContactName.Length > 0, "Contract:ContactName", "must not be empty");
        errors.Range("Contract:DriftChecksPerSecond", DriftChecksPerSecond, 0, 1000);
    }
}

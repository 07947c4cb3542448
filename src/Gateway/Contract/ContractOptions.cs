using Gateway.Configuration;

namespace Gateway.Contract;

/// <summary>Settings of the published document, and of the check that compares jobs with it.</summary>
internal sealed class ContractOptions
{
    /// <summary>
    /// Whether anybody may read the document and its page. Default true. If false, a caller's credential is needed.
    /// </summary>
    public bool Public { get; set; } = true;

    /// <summary>
    /// The gateway's address in the document, absolute http or https without a final slash. Default empty: the document
    /// has a relative address.
    /// </summary>
    public string ServerUrl { get; set; } = "";

    /// <summary>Name of the contact in the document; not empty. Default: The operators of this gateway.</summary>
    public string ContactName { get; set; } = "The operators of this gateway";

    /// <summary>Address of the contact: http, https or <c>mailto:</c>. Default empty: none.</summary>
    public string ContactUrl { get; set; } = "";

    /// <summary>Jobs per second that one node checks for drift: 0 to 1000. Default 10; 0 checks none.</summary>
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

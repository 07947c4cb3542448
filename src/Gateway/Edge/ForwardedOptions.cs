using System.Net;
using Gateway.Configuration;
using IPNetwork = System.Net.IPNetwork;

namespace Gateway.Edge;

/// <summary>
/// The proxies whose <c>X-Forwarded-For</c>, <c>-Proto</c> and <c>-Host</c> headers the gateway trusts.
/// </summary>
internal sealed class ForwardedOptions
{
    /// <summary>The addresses of proxies. Default empty.</summary>
    public List<string> KnownProxies { get; set; } = [];

    /// <summary>The networks of proxies, such as <c>10.0.0.0/8</c>. Default empty.</summary>
    public List<string> KnownNetworks { get; set; } = [];

    /// <summary>The largest number of proxies that a request passes. Default 1; 1 to 20.</summary>
    public int ForwardLimit { get; set; } = 1;

    public bool IsConfigured => KnownProxies.Count + KnownNetworks.Count > 0;

    public void Check(ConfigurationErrors errors)
    {
        const string Key = "ForwardedHeaders";
        for (var i = 0; i < KnownProxies.Count; i++)
        {
            errors.Unless(IPAddress.TryParse(KnownProxies[i], out _), $"{Key}:KnownProxies:{i}",
                "must be an IP address");
        }
        for (var i = 0; i < KnownNetworks.Count; i++)
        {
            errors.Unless(IPNetwork.TryParse(KnownNetworks[i], out _), $"{Key}:KnownNetworks:{i}",
                "must be a network such as 10.0.0.0/8");
        }
        errors.Range($"{Key}:ForwardLimit", ForwardLimit, 1, 20);
    }
}

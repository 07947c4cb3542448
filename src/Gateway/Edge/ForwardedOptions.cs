using System.Net;
using Gateway.Configuration;
using IPNetwork = System.Net.IPNetwork;

namespace Gateway.Edge;

/// <summary>
/// Whose word is taken for who the caller is and how it came (<c>X-Forwarded-For</c>, <c>-Proto</c>, <c>-Host</c>).
/// </summary>
internal sealed class ForwardedOptions
{
    /// <summary>Addresses of proxies. None here and below, the default: nobody's.</summary>
    public List<string> KnownProxies { get; set; } = [];

    /// <summary>Networks of proxies, as <c>10.0.0.0/8</c>.</summary>
    public List<string> KnownNetworks { get; set; } = [];

    /// <summary>How many proxies a request passes at most. Default 1; 1 to 20.</summary>
    public int ForwardLimit { get; set; } = 1;

    public bool IsConfigured => KnownProxies.Count + KnownNetworks.Count > 0;

    public void Check(ConfigurationErrors errors)
    {
        const string Key = "ForwardedHeaders";
        for (var i = 0; i < KnownProxies.Count; i++)
        {
            errors.Unless(IPAddress.TryParse(KnownProxies[i], out _), $"{Key}:KnownProxies:{i}", $"'{KnownProxies[i]}' is no IP address");
        }
        for (var i = 0; i < KnownNetworks.Count; i++)
        {
            errors.Unless(IPNetwork.TryParse(KnownNetworks[i], out _), $"{Key}:KnownNetworks:{i}",
                $"'{KnownNetworks[i]}' is no network such as 10.0.0.0/8");
        }
        errors.Range($"{Key}:ForwardLimit", ForwardLimit, 1, 20);
    }
}

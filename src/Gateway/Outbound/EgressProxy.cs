using System.Net;
using Gateway.Configuration;

namespace Gateway.Outbound;

/// <summary>
/// The proxy for connections to other networks, by the variables that curl and other programs know: <c>HTTPS_PROXY</c>,
/// <c>HTTP_PROXY</c>, <c>ALL_PROXY</c> and <c>NO_PROXY</c>, of which the lower-case form takes precedence. Loopback
/// never uses a proxy. Unlike .NET's own proxy, this one knows networks and ports in <c>NO_PROXY</c>.
/// </summary>
internal sealed class EgressProxy : IWebProxy
{
    private const string Https = "HTTPS_PROXY", Http = "HTTP_PROXY", All = "ALL_PROXY", No = "NO_PROXY";

    private const string Form = "must be an address such as http://proxy.example.com:3128";

    private readonly Func<string, string?> _variable;
    private readonly Uri? _https, _http;
    private readonly string[] _direct;

    /// <param name="variable">Returns an environment variable.</param>
    public EgressProxy(Func<string, string?> variable)
    {
        _variable = variable;
        var all = Find(All);
        (_https, _http) = (Find(Https) ?? all, Find(Http) ?? all);
        _direct = (ValueOf(No).Value ?? "").Split(
            [',', ' '], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        Credentials = new Logins(new[] { _https, _http }.OfType<Uri>().DistinctBy(WithoutLogin)
            .ToDictionary(WithoutLogin, address => address.UserInfo));
        (_https, _http) = (_https is null ? null : WithoutLogin(_https), _http is null ? null : WithoutLogin(_http));
    }

    /// <summary>The proxy of this process.</summary>
    public static EgressProxy OfEnvironment { get; } = new(Environment.GetEnvironmentVariable);

    public ICredentials? Credentials { get; set; }

    /// <summary>The variables that are set, with their values. Users and passwords are masked.</summary>
    public IEnumerable<(string Name, string Value)> Variables
    {
        get
        {
            foreach (var name in (string[])[Https, Http, All, No])
            {
                var (used, value) = ValueOf(name);
                if (value is null) continue;
                yield return (used, name == No ? value : Find(name) is not { } address ? "***"
                    : address.UserInfo.Length == 0 ? $"{WithoutLogin(address)}"
                    : $"{WithoutLogin(address)}".Replace("://", "://***@", StringComparison.Ordinal));
            }
        }
    }

    /// <summary>Adds an error for each variable that does not name a proxy. An error contains no value.</summary>
    public void Check(ConfigurationErrors errors)
    {
        foreach (var name in (string[])[Https, Http, All])
        {
            var (used, value) = ValueOf(name);
            errors.Unless(value is null || Find(name) is not null, used, Form);
        }
    }

    /// <summary>
    /// The address of the proxy for a destination, without a user and a password; null: there is none.
    /// </summary>
    public Uri? GetProxy(Uri destination) =>
        IsBypassed(destination) ? null : destination.Scheme is "https" or "wss" ? _https : _http;

    public bool IsBypassed(Uri host) => host.IsLoopback
        || host.IdnHost.EndsWith(".localhost", StringComparison.OrdinalIgnoreCase)
        || Array.Exists(_direct, rule => IsFor(rule, host));

    private static bool IsFor(string rule, Uri host)
    {
        if (rule == "*") return true;
        var name = host.IdnHost.Trim('[', ']');
        var isAddress = IPAddress.TryParse(name, out var address);
        if (isAddress && IPNetwork.TryParse(rule, out var network)) return network.Contains(address!);
        // A rule with several colons and without brackets is an IPv6 address without a port.
        var colon = rule.LastIndexOf(':');
        if (colon >= 0 && (rule.IndexOf(':', StringComparison.Ordinal) == colon || rule[colon - 1] == ']'))
        {
            if (rule[(colon + 1)..] != $"{host.Port}") return false;
            rule = rule[..colon];
        }
        if (isAddress) return IPAddress.TryParse(rule.Trim('[', ']'), out var one) && one.Equals(address);
        rule = rule.StartsWith('*') ? rule[1..] : rule;
        return name.Equals(rule.TrimStart('.'), StringComparison.OrdinalIgnoreCase)
            || name.EndsWith("." + rule.TrimStart('.'), StringComparison.OrdinalIgnoreCase);
    }

    private (string Name, string? Value) ValueOf(string name)
    {
        var lower = name.ToLowerInvariant();
        return _variable(lower) is { Length: > 0 } value ? (lower, value)
            : (name, _variable(name) is { Length: > 0 } other ? other : null);
    }

    private Uri? Find(string name)
    {
        if (ValueOf(name).Value is not { } value) return null;
        if (!value.Contains("://", StringComparison.Ordinal)) value = "http://" + value;
        // .NET lets the proxy look up names with SOCKS 5, too.
        value = value.Replace("socks5h://", "socks5://", StringComparison.OrdinalIgnoreCase);
        return Uri.TryCreate(value, UriKind.Absolute, out var address) && address.Host.Length > 0
            && address.Scheme is "http" or "socks4" or "socks4a" or "socks5" ? address : null;
    }

    private static Uri WithoutLogin(Uri address) => new($"{address.Scheme}://{address.Authority}");

    // Messages of .NET's exceptions contain the address of the proxy, so users and passwords are kept apart from it.
    private sealed class Logins(IReadOnlyDictionary<Uri, string> logins) : ICredentials
    {
        public NetworkCredential? GetCredential(Uri uri, string authType)
        {
            if (logins.GetValueOrDefault(WithoutLogin(uri)) is not { Length: > 0 } login) return null;
            var parts = login.Split(':', 2);
            return new NetworkCredential(
                Uri.UnescapeDataString(parts[0]), parts.Length > 1 ? Uri.UnescapeDataString(parts[1]) : "");
        }
    }
}

/// <summary>The egress proxy cannot be used. The message names the proxy, and what an operator can do.</summary>
internal sealed class EgressProxyException(Uri proxy, string problem, Exception? cause)
    : HttpRequestException(HttpRequestError.ProxyTunnelError,
        $"The egress proxy {proxy.Authority} {problem}; see HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY", cause)
{
    /// <summary>Returns the exception of the proxy among the causes of an exception.</summary>
    public static EgressProxyException? In(Exception? failure)
    {
        while (failure is not (null or EgressProxyException)) failure = failure.InnerException;
        return (EgressProxyException?)failure;
    }
}

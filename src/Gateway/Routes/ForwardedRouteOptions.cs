using Gateway.Configuration;
using Gateway.Jobs;

namespace Gateway.Routes;

/// <summary>One further operation of the upstream that callers may use: a GET, not cached.</summary>
internal sealed class ForwardedRouteOptions
{
    private static readonly string[] OwnPrefixes =
        ["admin", "bff", "docs", "health", "metrics", "openapi", "problems", "view"];

    private static readonly string[] OwnRoutes =
        [JobAddress.Route, JobAddress.EventsRoute, JobAddress.ManyEventsRoute, JobAddress.ManyRoute];

    // These describe the connection or the caller, or the gateway sets them itself.
    private static readonly string[] Withheld =
    [
        "Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authentication-Info", "Proxy-Connection", "TE",
        "Trailer", "Transfer-Encoding", "Upgrade", "Content-Encoding", "Content-Length", "Content-Range",
        "Set-Cookie", "Set-Cookie2", "WWW-Authenticate", "Authentication-Info", "Authorization", "Server", "Via",
        "Cache-Control", "Cache-Status", "CDN-Cache-Control", "Surrogate-Control", "Expires", "Pragma", "Age", "Vary",
        "RateLimit", "RateLimit-Policy",
        "Retry-After", "Strict-Transport-Security", "X-Content-Type-Options", "Referrer-Policy",
        // These would tell a browser or a proxy about the gateway's own origin, or hold references in a form that
        // cannot be translated.
        "Accept-CH", "Alt-Svc", "Clear-Site-Data", "Critical-CH", "Document-Policy", "Expect-CT", "Feature-Policy",
        "Link-Template", "NEL", "Origin-Agent-Cluster", "Origin-Trial", "Report-To", "Reporting-Endpoints",
        "Service-Worker-Allowed", "Set-Login", "Speculation-Rules", "Timing-Allow-Origin", "Use-As-Dictionary",
        "X-Frame-Options", "X-Permitted-Cross-Domain-Policies", "X-Sendfile",
    ];

    // Instructions to a browser about pages of this and of other origins, and of a server to the proxy before it.
    private static readonly string[] WithheldPrefixes =
    [
        "Access-Control-", "Content-Security-Policy", "Cross-Origin-", "Permissions-Policy", "Proxy-",
        "Public-Key-Pins", "X-Accel-",
    ];

    /// <summary>
    /// A path template, such as <c>/v0/workflows/{workflow_id}</c>; each parameter is one identifier.
    /// </summary>
    public string Path { get; set; } = "";

    /// <summary>The query parameters that are passed to the upstream. No others are.</summary>
    public List<string> Query { get; set; } = [];

    /// <summary>
    /// The response headers that are passed to the caller, beside Accept-Ranges, Content-Type, ETag and
    /// Last-Modified. No others are. References in them are translated.
    /// </summary>
    public List<string> ResponseHeaders { get; set; } = [];

    /// <summary>
    /// The hosts, other than the upstream's, to which redirects and references in headers may lead callers, over https
    /// alone: <c>files.example.com</c>, or with a port. Default none.
    /// </summary>
    public List<string> OtherHosts { get; set; } = [];

    /// <summary>The longest silence of the upstream within an answer. Default 100 s; 1 s to 1 h.</summary>
    public TimeSpan IdleTimeout { get; set; } = TimeSpan.FromSeconds(100);

    /// <summary>Checks all routes together, because no two may have the same path.</summary>
    public static void Check(ConfigurationErrors errors, Dictionary<string, ForwardedRouteOptions> routes)
    {
        var nameOf = OwnRoutes.ToDictionary(
            route => RouteTemplate.Parse(route).Shape, _ => "jobs, which the gateway serves already",
            StringComparer.OrdinalIgnoreCase);
        foreach (var (name, route) in routes)
        {
            errors.Name($"Routes:{name}", name, "a route's");
            route.Check(errors, $"Routes:{name}");
            if (RouteTemplate.TryParse(route.Path, out var template, out _)
                && !nameOf.TryAdd(template.Shape, $"Routes:{name}"))
            {
                errors.Add($"Routes:{name}:Path", $"is the same as that of {nameOf[template.Shape]}");
            }
        }
    }

    private void Check(ConfigurationErrors errors, string path)
    {
        if (!RouteTemplate.TryParse(Path, out var template, out var problem)) errors.Add($"{path}:Path", problem);
        else
        {
            errors.Unless(template.Segments[0] is { IsParameter: false } first
                && !OwnPrefixes.Contains(first.Text, StringComparer.OrdinalIgnoreCase), $"{path}:Path",
                $"must not begin with a parameter, nor with a path of the gateway itself "
                + $"({string.Join(", ", OwnPrefixes)})");
        }
        for (var i = 0; i < Query.Count; i++)
        {
            errors.Unless(Query[i].Length > 0
                && Query[i].All(c => c is > ' ' and <= '~' and not ('&' or '=' or '#' or '%' or '+')),
                $"{path}:Query:{i}",
                "must name a query parameter");
            errors.Unless(!ForwardedRoute.NamesWorkflow(Query[i]), $"{path}:Query:{i}",
                "names a workflow; put it into the path, because permissions are by workflow");
        }
        for (var i = 0; i < ResponseHeaders.Count; i++)
        {
            var header = ResponseHeaders[i];
            errors.Unless(header.Length > 0 && header.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_'),
                $"{path}:ResponseHeaders:{i}", "must name a header");
            errors.Unless(!Withheld.Contains(header, StringComparer.OrdinalIgnoreCase)
                && !Array.Exists(WithheldPrefixes,
                    prefix => header.StartsWith(prefix, StringComparison.OrdinalIgnoreCase)),
                $"{path}:ResponseHeaders:{i}",
                "cannot be passed on: it concerns the connection, or the gateway sets it");
        }
        for (var i = 0; i < OtherHosts.Count; i++)
        {
            errors.Unless(IsHost(OtherHosts[i]), $"{path}:OtherHosts:{i}",
                "must be a host such as files.example.com, or a host and a port");
        }
        errors.Range($"{path}:IdleTimeout", IdleTimeout, TimeSpan.FromSeconds(1), TimeSpan.FromHours(1));
    }

    private static bool IsHost(string text) => text.Length > 0 && text.All(c => c is > ' ' and <= '~')
        && !text.Contains('*') && Uri.TryCreate($"https://{text}/", UriKind.Absolute, out var address)
        && (text.Equals(address.Host, StringComparison.OrdinalIgnoreCase)
            || text.Equals($"{address.Host}:{address.Port}", StringComparison.OrdinalIgnoreCase));
}

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
        "Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding",
        "Upgrade", "Content-Encoding", "Content-Length",
        "Set-Cookie", "WWW-Authenticate", "Authorization", "Server", "Location", "Cache-Control", "Cache-Status", "Age",
        "Vary", "RateLimit", "RateLimit-Policy",
        "Retry-After", "Content-Security-Policy", "Strict-Transport-Security", "X-Content-Type-Options",
        "Referrer-Policy", "Cross-Origin-Resource-Policy",
    ];

    /// <summary>
    /// A path template, such as <c>/v0/workflows/{workflow_id}</c>; each parameter is one identifier.
    /// </summary>
    public string Path { get; set; } = "";

    /// <summary>The query parameters that are passed to the upstream. No others are.</summary>
    public List<string> Query { get; set; } = [];

    /// <summary>
    /// The response headers that are passed to the caller, beside Content-Type, ETag and Last-Modified. No others are.
    /// </summary>
    public List<string> ResponseHeaders { get; set; } = [];

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
                && !header.StartsWith("Access-Control-", StringComparison.OrdinalIgnoreCase),
                $"{path}:ResponseHeaders:{i}",
                "cannot be passed on: it concerns the connection, or the gateway sets it");
        }
        errors.Range($"{path}:IdleTimeout", IdleTimeout, TimeSpan.FromSeconds(1), TimeSpan.FromHours(1));
    }
}

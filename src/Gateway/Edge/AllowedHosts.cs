using Gateway.Configuration;
using Gateway.Problems;
using Gateway.Telemetry;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;

namespace Gateway.Edge;

/// <summary>
/// Refuses requests for other hosts than <c>AllowedHosts</c> lists, by the rules of ASP.NET Core's host filtering.
/// Health and the management port are exempt, because probes and scrapers use addresses. The framework's own middleware
/// has no exemptions, and answers without a problem.
/// </summary>
internal static class AllowedHosts
{
    public const string Key = "AllowedHosts";

    private const string FrameworkFilter = "HostFilteringStartupFilter";

    // These entries allow every host.
    private static readonly string[] Any = ["*", "[::]", "0.0.0.0"];

    /// <summary>Removes the framework's middleware.</summary>
    public static void AddAllowedHosts(this IServiceCollection services)
    {
        foreach (var filter in services.Where(one => one.ImplementationType?.Name == FrameworkFilter).ToArray())
        {
            services.Remove(filter);
        }
    }

    public static void Check(IConfiguration configuration, ConfigurationErrors errors) => errors.Unless(
        ListenAddresses.Split(configuration[Key]).All(host => Any.Contains(host) || IsHost(host)), Key,
        "must be host names without scheme, port and path, separated by ';', such as jobs.example.com;*.example.org");

    public static void UseAllowedHosts(this WebApplication app)
    {
        StringSegment[] hosts =
            [.. ListenAddresses.Split(app.Configuration[Key]).Select(host => (StringSegment)$"{new HostString(host)}")];
        if (hosts.Length == 0 || hosts.Any(host => Any.Contains(host.Value))) return;
        var services = app.Services;
        var managementPort = services.GetRequiredService<IOptionsMonitor<ManagementOptions>>().CurrentValue.Port;
        PathString[] health =
            ["/health", services.GetRequiredService<IOptionsMonitor<PathBaseOptions>>().CurrentValue.Path + "/health"];
        var refusals = services.GetRequiredService<RefusalMetrics>();
        app.Use((http, next) =>
        {
            var host = http.Request.Headers.Host.ToString();
            // As in the framework, HTTP/1.0 needs no host.
            if (host.Length == 0 || HostString.MatchesAny(host, hosts) || IsExempt(http)) return next(http);
            refusals.Refused("host");
            return new Problem(ProblemType.BadRequest, "This gateway does not answer for the host that the request "
                + "names. Use a published address of the gateway; its operators list the hosts in AllowedHosts.")
                .WriteAsync(http).AsTask();
        });

        // A connection over a Unix socket has the port 0.
        bool IsExempt(HttpContext http) => (managementPort > 0 && http.Connection.LocalPort == managementPort)
            || Array.Exists(health, path => http.Request.Path.StartsWithSegments(path));
    }

    private static bool IsHost(string text)
    {
        var name = text.StartsWith("*.", StringComparison.Ordinal) ? text[2..] : text;
        return Uri.CheckHostName(name) != UriHostNameType.Unknown;
    }
}

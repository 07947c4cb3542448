using Gateway.Edge;
using Gateway.Runtime;
using Microsoft.Extensions.Options;

namespace Gateway.Admin;

/// <summary>
/// The management port for operators. The port serves metrics, health and <c>/admin</c>. If the port is configured, no
/// other port serves <c>/admin</c>.
/// </summary>
internal static class Management
{
    /// <summary>
    /// Listens on the management port beside the main addresses, and branches off its requests. The local port of the
    /// connection decides, because a caller can send any Host header.
    /// </summary>
    public static void UseManagementPort(this WebApplication app)
    {
        var port = app.Services.GetRequiredService<IOptionsMonitor<ManagementOptions>>().CurrentValue.Port;
        if (port == 0) return;

        // The server ignores its configured addresses if code adds one, so code must add them, too.
        if (app.Urls.Count == 0)
        {
            foreach (var address in MainAddresses(app.Configuration)) app.Urls.Add(address);
        }
        app.Urls.Add($"http://*:{port}");
        bool IsOwn(HttpContext http) =>
            http.Connection.LocalPort == port && !http.Request.Path.StartsWithSegments("/admin");
        app.MapWhen(IsOwn, branch =>
        {
            branch.UsePoolFor("/metrics");
            branch.UseMethods();
            branch.UseOpenTelemetryPrometheusScrapingEndpoint();
            branch.UseHealthChecks("/health/live", Health.Live);
            branch.UseHealthChecks("/health/ready", Health.Ready);
        });
    }

    private static IEnumerable<string> MainAddresses(IConfiguration configuration)
    {
        if (configuration["urls"] is { Length: > 0 } urls) return ListenAddresses.Split(urls);
        var ports = ListenAddresses.Split(configuration["http_ports"]).Select(port => $"http://*:{port}")
            .Concat(ListenAddresses.Split(configuration["https_ports"]).Select(port => $"https://*:{port}"))
            .ToList();
        return ports.Count > 0 ? ports : ["http://localhost:5000"];
    }
}

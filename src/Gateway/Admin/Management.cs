using Gateway.Edge;
using Gateway.Runtime;
using Microsoft.Extensions.Options;

namespace Gateway.Admin;

/// <summary>
/// The operators' port: metrics, health and <c>/admin</c> there, and metrics and <c>/admin</c> nowhere else.
/// </summary>
internal static class Management
{
    /// <summary>
    /// Listens on the management port beside the main addresses, and branches off what comes in there. The port that
    /// the connection came in by decides; a Host header proves nothing.
    /// </summary>
    public static void UseManagementPort(this WebApplication app)
    {
        var port = app.Services.GetRequiredService<IOptionsMonitor<ManagementOptions>>().CurrentValue.Port;
        if (port == 0) return;

        // The server takes its configured addresses only while none is named in code, so they are named again here.
        if (app.Urls.Count == 0)
        {
            foreach (var address in MainAddresses(app.Configuration)) app.Urls.Add(address);
        }
        app.Urls.Add($"http://*:{port}");
        app.MapWhen(http => http.Connection.LocalPort == port && !http.Request.Path.StartsWithSegments("/admin"), branch =>
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
        if (configuration["urls"] is { Length: > 0 } urls) return Split(urls);
        var ports = Split(configuration["http_ports"]).Select(port => $"http://*:{port}")
            .Concat(Split(configuration["https_ports"]).Select(port => $"https://*:{port}"))
            .ToList();
        return ports.Count > 0 ? ports : ["http://localhost:5000"];
    }

    private static string[] Split(string? list) =>
        list?.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? [];
}

using System.Diagnostics.Metrics;
using System.Reflection;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Gateway.Telemetry;

/// <summary>
/// Registers OpenTelemetry. The management port serves metrics. Metrics and traces are exported by OTLP if the standard
/// environment variable <c>OTEL_EXPORTER_OTLP_ENDPOINT</c> is set.
/// </summary>
internal static class TelemetryServices
{
    private const string MeterName = "Gateway";

    /// <summary>The semantic version of the gateway, with the commit after a plus sign.</summary>
    public static string Version { get; } = typeof(TelemetryServices).Assembly
        .GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;

    /// <summary>Creates the meter of the gateway, for the instruments of a feature.</summary>
    public static Meter CreateGateway(this IMeterFactory meters) => meters.Create(MeterName);

    public static void AddTelemetry(this IServiceCollection services)
    {
        services.AddSingleton<RefusalMetrics>();
        var name = Environment.GetEnvironmentVariable("OTEL_SERVICE_NAME") is { Length: > 0 } named ? named : "gateway";
        var telemetry = services.AddOpenTelemetry()
            .ConfigureResource(resource => resource.AddService(name, serviceVersion: Version))
            .WithMetrics(metrics => metrics
                .AddMeter(
                    MeterName, "Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel",
                    "Microsoft.AspNetCore.Diagnostics", "System.Net.Http")
                .AddRuntimeInstrumentation()
                // This metric costs two updates for each request, and most requests end at once.
                .AddView("http.server.active_requests", MetricStreamConfiguration.Drop)
                .AddPrometheusExporter());
        if (string.IsNullOrEmpty(Environment.GetEnvironmentVariable("OTEL_EXPORTER_OTLP_ENDPOINT"))) return;
        telemetry
            .WithTracing(traces => traces.AddAspNetCoreInstrumentation().AddHttpClientInstrumentation())
            .UseOtlpExporter();
    }
}

using System.Diagnostics.Metrics;
using System.Reflection;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Gateway.Telemetry;

/// <summary>
/// Metrics and traces by OpenTelemetry: metrics to the management port, and both by OTLP where the standard environment
/// variable <c>OTEL_EXPORTER_OTLP_ENDPOINT</c> says where to.
/// </summary>
internal static class TelemetryServices
{
    private const string MeterName = "Gateway";

    /// <summary>The version by Semantic Versioning, with the commit after a plus sign.</summary>
    public static string Version { get; } = typeof(TelemetryServices).Assembly
        .GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;

    /// <summary>The meter of the gateway, for the instruments of a feature.</summary>
    public static Meter CreateGateway(this IMeterFactory meters) => meters.Create(MeterName);

    public static void AddTelemetry(this IServiceCollection services)
    {
        services.AddSingleton<RefusalMetrics>();
        var name = Environment.GetEnvironmentVariable("OTEL_SERVICE_NAME") is { Length: > 0 } named ? named : "gateway";
        var telemetry = services.AddOpenTelemetry()
            .ConfigureResource(resource => resource.AddService(name, serviceVersion: Version))
            .WithMetrics(metrics => metrics
                .AddMeter(MeterName, "Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel", "Microsoft.AspNetCore.Diagnostics", "System.Net.Http")
                .AddRuntimeInstrumentation()
                // It would be told of every request twice, of which nearly all are over at once.
                .AddView("http.server.active_requests", MetricStreamConfiguration.Drop)
                .AddPrometheusExporter());
        if (string.IsNullOrEmpty(Environment.GetEnvironmentVariable("OTEL_EXPORTER_OTLP_ENDPOINT"))) return;
        telemetry
            .WithTracing(traces => traces.AddAspNetCoreInstrumentation().AddHttpClientInstrumentation())
            .UseOtlpExporter();
    }
}

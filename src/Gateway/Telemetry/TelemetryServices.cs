using System.Diagnostics.Metrics;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;

namespace Gateway.Telemetry;

/// <summary>
/// Metrics and traces by OpenTelemetry: metrics to the management port, and both by OTLP where the standard environment
/// variable <c>OTEL_EXPORTER_OTLP_ENDPOINT</c> says where to.
/// </summary>
internal static class TelemetryServices
{
    private const string MeterName = "Gateway";

    /// <summary>The meter of the gateway, for the instruments of a feature.</summary>
    public static Meter CreateGateway(this IMeterFactory meters) => meters.Create(MeterName);

    public static void AddTelemetry(this IServiceCollection services)
    {
        services.AddSingleton<RefusalMetrics>();
        var telemetry = services.AddOpenTelemetry()
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

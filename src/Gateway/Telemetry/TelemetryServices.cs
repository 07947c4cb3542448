using System.Diagnostics.Metrics;
using System.Reflection;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;

namespace Gateway.Telemetry;

/// <summary>
/// Registers OpenTelemetry. The management port serves metrics. Metrics, traces and logs are sent by OTLP if the
/// standard environment variables ask for it.
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
        services.AddSingleton<SeriesLimits>();
        services.AddOpenTelemetry()
            // The variables OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES come last, so that they take precedence.
            .ConfigureResource(resource => resource.Clear()
                .AddTelemetrySdk()
                .AddService("gateway", serviceVersion: Version)
                .AddEnvironmentVariableDetector())
            .WithMetrics(metrics => ((IDeferredMeterProviderBuilder)metrics
                .AddMeter(
                    MeterName, "Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel",
                    "Microsoft.AspNetCore.Diagnostics", "System.Net.Http")
                .AddRuntimeInstrumentation()
                .AddPrometheusExporter())
                .Configure((provider, built) => built.AddView(provider.GetRequiredService<SeriesLimits>().ViewOf)))
            .AddOtlp();
    }

    /// <summary>Publishes which build of the gateway runs.</summary>
    public static void ObserveBuild(this WebApplication app)
    {
        var parts = Version.Split('+', 2);
        KeyValuePair<string, object?>[] tags =
        [
            new("service.version", parts[0]), new("vcs.ref.head.revision", parts.ElementAtOrDefault(1) ?? ""),
            new("process.runtime.version", Environment.Version.ToString()),
        ];
        app.Services.GetRequiredService<IMeterFactory>().CreateGateway().CreateObservableGauge(
            "gateway.build", () => new Measurement<int>(1, tags), null, "1, with the version of the gateway as tags");
    }
}

using Microsoft.Extensions.Options;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Logs;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;

namespace Gateway.Telemetry;

/// <summary>
/// Sends traces, metrics and logs by OTLP, each if the standard environment variables ask for it. The SDK reads the
/// variables for all signals; this class reads those of one signal, such as <c>OTEL_EXPORTER_OTLP_TRACES_ENDPOINT</c>,
/// and decides which signals are sent.
/// </summary>
internal static class OtlpExport
{
    private const string Prefix = "OTEL_EXPORTER_OTLP_";

    /// <summary>The activity source of the gateway's own spans.</summary>
    public const string SourceName = "Gateway";

    /// <exception cref="OptionsValidationException">A variable has a wrong value.</exception>
    public static void AddOtlp(this OpenTelemetryBuilder telemetry)
    {
        if (IsOn("TRACES"))
        {
            telemetry.WithTracing(traces => traces
                .AddSource(SourceName)
                .AddAspNetCoreInstrumentation(requests => requests.Filter = http => !IsProbe(http.Request.Path))
                .AddHttpClientInstrumentation()
                .AddOtlpExporter("TRACES", OptionsOf("TRACES")));
        }
        if (IsOn("METRICS"))
        {
            var options = OptionsOf("METRICS");
            telemetry.WithMetrics(metrics => metrics.AddOtlpExporter("METRICS", options));
        }
        if (IsOn("LOGS"))
        {
            telemetry.WithLogging(logs => logs.AddOtlpExporter("LOGS", OptionsOf("LOGS")),
                logs => logs.IncludeFormattedMessage = true);
        }
    }

    /// <summary>Whether a request, below any path base, is one of an orchestrator or of Prometheus.</summary>
    private static bool IsProbe(PathString path) => path.Value is { } text
        && (text.EndsWith("/health/live", StringComparison.OrdinalIgnoreCase)
            || text.EndsWith("/health/ready", StringComparison.OrdinalIgnoreCase)
            || text.EndsWith("/metrics", StringComparison.OrdinalIgnoreCase));

    /// <summary>
    /// Whether a signal is sent: <c>OTEL_TRACES_EXPORTER</c> and the like list <c>otlp</c>, or do not say and there is
    /// an endpoint.
    /// </summary>
    private static bool IsOn(string signal) => Read($"OTEL_{signal}_EXPORTER") is { } exporters
        ? exporters.Split(',', StringSplitOptions.TrimEntries).Contains("otlp", StringComparer.OrdinalIgnoreCase)
        : (Read($"{Prefix}{signal}_ENDPOINT") ?? Read($"{Prefix}ENDPOINT")) is not null;

    private static Action<OtlpExporterOptions> OptionsOf(string signal)
    {
        var errors = new List<string>();
        var endpoint = Parse<Uri>("ENDPOINT", "an absolute http or https address", text =>
            Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" ? uri : null);
        var protocol = Parse<object>("PROTOCOL", "grpc or http/protobuf", text => text switch
        {
            "grpc" => OtlpExportProtocol.Grpc,
            "http/protobuf" => OtlpExportProtocol.HttpProtobuf,
            _ => null,
        });
        var timeout = Parse<object>("TIMEOUT", "a number of milliseconds",
            text => int.TryParse(text, out var number) && number > 0 ? number : null);
        var compression = Parse<object>("COMPRESSION", "none or gzip", text => text switch
        {
            "none" => OtlpExportCompression.None,
            "gzip" => OtlpExportCompression.GZip,
            _ => null,
        });
        var headers = Read($"{Prefix}{signal}_HEADERS");
        if (errors.Count > 0) throw new OptionsValidationException(signal, typeof(OtlpExporterOptions), errors);
        return options =>
        {
            // The address of a signal is complete. The SDK adds the path of the signal to the common address.
            if (endpoint is not null) options.Endpoint = endpoint;
            if (protocol is OtlpExportProtocol known) options.Protocol = known;
            if (timeout is int milliseconds) options.TimeoutMilliseconds = milliseconds;
            if (compression is OtlpExportCompression kind) options.Compression = kind;
            if (headers is not null) options.Headers = headers;
        };

        T? Parse<T>(string option, string form, Func<string, T?> parse) where T : class
        {
            var name = $"{Prefix}{signal}_{option}";
            if (Read(name) is not { } text) return null;
            var value = parse(text);
            if (value is null) errors.Add($"{name}: must be {form}");
            return value;
        }
    }

    private static string? Read(string variable) =>
        Environment.GetEnvironmentVariable(variable) is { Length: > 0 } value ? value : null;
}

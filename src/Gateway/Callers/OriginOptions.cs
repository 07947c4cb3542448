using System.Buffers;
using System.Text;
using Gateway.Configuration;

namespace Gateway.Callers;

/// <summary>The origins of pages that may call with credentials, and the headers that these pages may send.</summary>
internal sealed class OriginOptions
{
    /// <summary>The element of <see cref="AllowedHeaders"/> that allows every header.</summary>
    public const string AnyHeader = "*";

    // Of OpenTelemetry and Sentry (also traceparent and tracestate), Zipkin, Datadog, New Relic, Elastic, Application
    // Insights, Dynatrace, Instana, SkyWalking, Jaeger, Google Cloud, AWS, Highlight, PostHog; then of scripts, and of
    // clients that Kiota generates. The gateway does not read them.
    private static readonly string[] DefaultHeaders =
    [
        "traceparent", "tracestate", "baggage", "sentry-trace",
        "b3", "X-B3-TraceId", "X-B3-SpanId", "X-B3-ParentSpanId", "X-B3-Sampled", "X-B3-Flags",
        "x-datadog-trace-id", "x-datadog-parent-id", "x-datadog-origin", "x-datadog-sampling-priority",
        "x-datadog-tags", "newrelic", "elastic-apm-traceparent", "Request-Id", "Request-Context", "Correlation-Context",
        "x-dtc", "x-dtpc", "x-dtreferer", "X-INSTANA-T", "X-INSTANA-S", "X-INSTANA-L", "sw8", "sw8-correlation",
        "uber-trace-id", "X-Cloud-Trace-Context", "X-Amzn-Trace-Id", "x-highlight-request",
        "X-POSTHOG-DISTINCT-ID", "X-POSTHOG-SESSION-ID", "X-POSTHOG-WINDOW-ID",
        "X-Request-ID", "X-Correlation-ID", "X-Requested-With", "User-Agent", "Retry-Attempt",
    ];

    // RFC 9110, section 5.6.2.
    private static readonly SearchValues<char> Token = SearchValues.Create(
        "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

    /// <summary>
    /// The allowed origins, such as <c>https://app.example.com</c>. Default empty: only pages of the gateway's own
    /// origin may call.
    /// </summary>
    public List<string> AllowedOrigins { get; set; } = [];

    /// <summary>
    /// The names of headers that pages of these origins may send, beside those that the gateway reads; <c>*</c> allows
    /// every header. If empty: those with which common tracing tools and scripts mark each request.
    /// </summary>
    public List<string> AllowedHeaders { get; set; } = [];

    /// <summary>The allowed headers; the default ones if none are configured.</summary>
    public IReadOnlyList<string> Headers => AllowedHeaders.Count > 0 ? AllowedHeaders : DefaultHeaders;

    /// <summary>Whether pages of these origins may send every header.</summary>
    public bool AllowAnyHeader => AllowedHeaders.Contains(AnyHeader);

    /// <summary>
    /// Whether a page of this origin may call. The comparison is exact, because browsers serialise an origin in one
    /// form (RFC 6454, section 6).
    /// </summary>
    public bool Allow(string origin) => AllowedOrigins.Contains(origin);

    /// <summary>Whether the text can be the name of a header.</summary>
    public static bool IsName(string text) => text.Length > 0 && !text.AsSpan().ContainsAnyExcept(Token);

    public void Check(ConfigurationErrors errors)
    {
        for (var i = 0; i < AllowedOrigins.Count; i++)
        {
            // Browsers write an international name in ASCII, such as xn--bcher-kva.example.
            var fine = Uri.TryCreate(AllowedOrigins[i], UriKind.Absolute, out var uri)
                && uri.Scheme is "http" or "https" && uri.UserInfo.Length == 0
                && OriginOf(uri) == AllowedOrigins[i] && Ascii.IsValid(AllowedOrigins[i]);
            errors.Unless(fine, $"Cors:AllowedOrigins:{i}", "must be an origin as browsers write it, in ASCII, "
                + "such as https://app.example.com; there is no wildcard");
        }
        for (var i = 0; i < AllowedHeaders.Count; i++)
        {
            var name = AllowedHeaders[i];
            var fine = name == AnyHeader || (IsName(name) && !name.Contains('*', StringComparison.Ordinal));
            errors.Unless(fine, $"Cors:AllowedHeaders:{i}",
                "must be the name of one header, such as X-Request-ID, or '*' for every header");
        }
    }

    public static string OriginOf(Uri uri) => uri.GetLeftPart(UriPartial.Authority);
}

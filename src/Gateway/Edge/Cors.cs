using Gateway.Callers;
using Gateway.Callers.Sessions;
using Microsoft.AspNetCore.Cors.Infrastructure;
using Microsoft.Extensions.Options;

namespace Gateway.Edge;

/// <summary>
/// The CORS policy: pages of the configured origins may call with credentials and read the headers that they need
/// (Fetch, section 3.3).
/// </summary>
internal sealed class Cors(IOptionsMonitor<OriginOptions> allowed, IEnumerable<IExposesHeaders> others)
    : ICorsPolicyProvider
{
    private static readonly string[] Methods = ["GET", "HEAD", "POST"];

    private static readonly string[] Exposed =
    [
        "ETag", "Cache-Status", "Age", "RateLimit", "RateLimit-Policy", "Retry-After", "WWW-Authenticate",
        "Preference-Applied",
    ];

    private static readonly string[] Accepted =
    [
        "Authorization", "X-Api-Key", CookieRule.Header, "If-None-Match", "If-Modified-Since", "Cache-Control",
        "Prefer", "Last-Event-ID", "Range", "If-Range", "traceparent", "tracestate",
    ];

    /// <summary>
    /// How long a browser may cache a preflight: the maximum of Chromium. If an origin is removed from the
    /// configuration, its pages cannot read responses any more, even with a cached preflight.
    /// </summary>
    private static readonly TimeSpan PreflightMaxAge = TimeSpan.FromHours(2);

    private volatile Made? _made;

    public Task<CorsPolicy?> GetPolicyAsync(HttpContext context, string? policyName)
    {
        var options = allowed.CurrentValue;
        var made = _made?.Options == options ? _made : _made = new Made(options, Make(options));
        return Task.FromResult(made.Policy);
    }

    private CorsPolicy? Make(OriginOptions options) => options.AllowedOrigins.Count == 0 ? null
        : new CorsPolicyBuilder([.. options.AllowedOrigins])
            .AllowCredentials()
            .WithMethods(Methods)
            .WithHeaders(Accepted)
            .WithExposedHeaders(
            [
                .. Exposed.Concat(others.SelectMany(other => other.ResponseHeaders))
                    .Distinct(StringComparer.OrdinalIgnoreCase),
            ])
            .SetPreflightMaxAge(PreflightMaxAge)
            .Build();

    private sealed record Made(OriginOptions Options, CorsPolicy? Policy);

    /// <summary>Adds Origin to <c>Vary</c> only if the response does not already list it.</summary>
    public sealed class Service(IOptions<CorsOptions> options, ILoggerFactory loggers)
        : CorsService(options, loggers)
    {
        public override void ApplyResult(CorsResult result, HttpResponse response)
        {
            result.VaryByOrigin = !response.Headers.Vary.ToString().Contains("Origin", StringComparison.Ordinal);
            base.ApplyResult(result, response);
        }
    }
}

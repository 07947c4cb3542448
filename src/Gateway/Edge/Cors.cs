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
        "Preference-Applied", "Date",
    ];

    // The headers that the gateway reads, and those that HTTP clients add to each request.
    private static readonly string[] Accepted =
    [
        "Authorization", "X-Api-Key", CookieRule.Header, "If-None-Match", "If-Modified-Since", "Cache-Control",
        "Pragma", "Prefer", "Last-Event-ID", "Range", "If-Range", "Content-Type",
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
            .WithHeaders(
            [
                .. Accepted.Concat(options.Headers.Where(name => name != OriginOptions.AnyHeader))
                    .Distinct(StringComparer.OrdinalIgnoreCase),
            ])
            .WithExposedHeaders(
            [
                .. Exposed.Concat(others.SelectMany(other => other.ResponseHeaders))
                    .Distinct(StringComparer.OrdinalIgnoreCase),
            ])
            .SetPreflightMaxAge(PreflightMaxAge)
            .Build();

    private sealed record Made(OriginOptions Options, CorsPolicy? Policy);

    /// <summary>
    /// Adds the headers that a page asks for, if every header is allowed, and Origin to <c>Vary</c> only if the
    /// response does not already list it.
    /// </summary>
    public sealed class Service(
        IOptions<CorsOptions> options, IOptionsMonitor<OriginOptions> allowed, ILoggerFactory loggers)
        : CorsService(options, loggers)
    {
        // The fixed headers are listed as well. A browser that remembers this answer then needs no other preflight when
        // the page sends one of them later.
        public override void EvaluatePreflightRequest(HttpContext context, CorsPolicy policy, CorsResult result)
        {
            base.EvaluatePreflightRequest(context, policy, result);
            if (!allowed.CurrentValue.AllowAnyHeader) return;
            var asked = context.Request.Headers.GetCommaSeparatedValues(CorsConstants.AccessControlRequestHeaders);
            // Anything else cannot be written to a response header.
            foreach (var name in asked.Where(OriginOptions.IsName)
                .Except(result.AllowedHeaders, StringComparer.OrdinalIgnoreCase).ToArray())
            {
                result.AllowedHeaders.Add(name);
            }
        }

        public override void ApplyResult(CorsResult result, HttpResponse response)
        {
            result.VaryByOrigin = !response.Headers.Vary.ToString().Contains("Origin", StringComparison.Ordinal);
            base.ApplyResult(result, response);
        }
    }
}

using System.Collections.Frozen;
using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Transforms;

namespace Gateway.SideBySide.Servers;

/// <summary>
/// YARP with a key check and the injected credential: a gateway assembled from the framework's parts, or one that only
/// forwards.
/// </summary>
internal static class Yarp
{
    private const string Team = "team";

    /// <param name="cache"><c>none</c> to forward only, <c>memory</c>, or the address of Redis.</param>
    /// <param name="keys">Each key with its team after a colon.</param>
    public static Task RunAsync(int port, string upstream, string credential, string cache, string[] keys)
    {
        var teams = keys.Select(key => key.Split(':'))
            .ToFrozenDictionary(key => key[0], key => key[1], StringComparer.Ordinal);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.ListenLocalhost(port, listen => listen.Protocols = HttpProtocols.Http1);
        });
        builder.Services.AddReverseProxy()
            .LoadFromMemory(
                [new RouteConfig { RouteId = "jobs", ClusterId = "upstream",
                    Match = new RouteMatch { Path = "/v0/workflows/{workflow}/jobs/{job}", Methods = ["GET"] } }],
                [new ClusterConfig { ClusterId = "upstream", Destinations =
                    new Dictionary<string, DestinationConfig> { ["upstream"] = new() { Address = upstream } } }])
            .AddTransforms(transforms =>
            {
                transforms.AddRequestHeader("Authorization", credential, append: false);
                transforms.AddRequestHeaderRemove("X-Api-Key");
            });
        if (cache != "none") AddCache(builder.Services, cache);

        var app = builder.Build();
        app.Use((http, next) =>
        {
            if (http.Request.Headers["X-Api-Key"] is [{ } key] && teams.TryGetValue(key, out var team))
            {
                http.Items[Team] = team;
                return next(http);
            }
            http.Response.StatusCode = StatusCodes.Status401Unauthorized;
            return Task.CompletedTask;
        });
        if (cache != "none")
        {
            app.UseRateLimiter();
            app.UseOutputCache();
        }
        app.MapReverseProxy();
        return app.RunAsync();
    }

    private static void AddCache(IServiceCollection services, string cache)
    {
        services.AddRateLimiter(limits =>
            limits.GlobalLimiter = PartitionedRateLimiter.Create<HttpContext, string>(http =>
            RateLimitPartition.GetTokenBucketLimiter((string)http.Items[Team]!, _ => new TokenBucketRateLimiterOptions
            {
                TokenLimit = 1_000_000,
                TokensPerPeriod = 1_000_000,
                ReplenishmentPeriod = TimeSpan.FromSeconds(1),
            })));
        // The default policies cache GET requests with status 200 and without cookies and Authorization, which covers
        // these requests.
        services.AddOutputCache(caching =>
        {
            caching.SizeLimit = 4L << 30;
            caching.AddBasePolicy(policy => policy.Expire(TimeSpan.FromDays(1)));
        });
        if (cache != "memory") services.AddStackExchangeRedisOutputCache(redis => redis.Configuration = cache);
    }
}

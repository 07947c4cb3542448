using System.Net;
using Microsoft.AspNetCore.Cors.Infrastructure;
using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.AspNetCore.HttpsPolicy;
using Microsoft.Extensions.Options;
using IPNetwork = System.Net.IPNetwork;

namespace Gateway.Edge;

/// <summary>The middleware before the routes: proxies, path base, HTTPS and CORS.</summary>
internal static class EdgePipeline
{
    // If these properties are set, the framework does not add its own authentication middleware to each request.
    private static readonly string[] SuppressedMiddleware =
        ["__AuthenticationMiddlewareSet", "__AuthorizationMiddlewareSet"];

    public static void AddEdge(this IServiceCollection services)
    {
        services.AddCors();
        services.AddSingleton<ICorsPolicyProvider, Cors>();
        services.AddSingleton<ICorsService, Cors.Service>();
        services.AddHsts(_ => { });
        services.AddOptions<HstsOptions>().Configure<IOptionsMonitor<HttpsOptions>>(
            (hsts, options) => hsts.MaxAge = options.CurrentValue.HstsMaxAge);
    }

    /// <summary>Applies the forwarded headers of known proxies, and removes the path base.</summary>
    public static void UseProxies(this WebApplication app)
    {
        foreach (var key in SuppressedMiddleware) ((IApplicationBuilder)app).Properties[key] = true;
        var proxies = app.Services.GetRequiredService<IOptionsMonitor<ForwardedOptions>>().CurrentValue;
        if (proxies.IsConfigured) app.UseForwardedHeaders(Trusting(proxies, app.Configuration[AllowedHosts.Key]));
        var pathBase = app.Services.GetRequiredService<IOptionsMonitor<PathBaseOptions>>().CurrentValue.Path;
        if (pathBase.Length > 0) app.UsePathBase(pathBase);
    }

    /// <summary>
    /// Uses the framework's CORS middleware with a fixed policy provider. The framework's own extension compiles code
    /// at the start that looks the provider up for each request.
    /// </summary>
    public static void UseCors(this WebApplication app)
    {
        var services = app.Services;
        var cors = services.GetRequiredService<ICorsService>();
        var policies = services.GetRequiredService<ICorsPolicyProvider>();
        app.Use(next =>
        {
            var middleware = new CorsMiddleware(next, cors, services.GetRequiredService<ILoggerFactory>());
            return http => middleware.Invoke(http, policies);
        });
    }

    /// <summary>Redirects requests to HTTPS, and adds HSTS, as configured.</summary>
    public static void UseHttps(this WebApplication app)
    {
        var options = app.Services.GetRequiredService<IOptionsMonitor<HttpsOptions>>().CurrentValue;
        if (options.HstsMaxAge > TimeSpan.Zero) app.UseHsts();
        if (!options.Redirect || !ListensOnHttps(app)) return;
        // Health probes use plain HTTP and do not follow redirects.
        app.UseWhen(
            http => !http.Request.Path.StartsWithSegments("/health"), branch => branch.UseHttpsRedirection());
    }

    private static ForwardedHeadersOptions Trusting(ForwardedOptions proxies, string? allowedHosts)
    {
        var options = new ForwardedHeadersOptions
        {
            ForwardedHeaders =
                ForwardedHeaders.XForwardedFor | ForwardedHeaders.XForwardedProto | ForwardedHeaders.XForwardedHost,
            ForwardLimit = proxies.ForwardLimit,
        };
        // By default, the framework trusts loopback.
        options.KnownProxies.Clear();
        options.KnownIPNetworks.Clear();
        // AllowedHosts also applies to X-Forwarded-Host.
        foreach (var host in Split(allowedHosts).Where(host => host != "*")) options.AllowedHosts.Add(host);
        foreach (var proxy in proxies.KnownProxies.Select(IPAddress.Parse))
        {
            options.KnownProxies.Add(proxy.IsIPv4MappedToIPv6 ? proxy.MapToIPv4() : proxy);
        }
        foreach (var network in proxies.KnownNetworks) options.KnownIPNetworks.Add(IPNetwork.Parse(network));
        return options;
    }

    private static bool ListensOnHttps(WebApplication app)
    {
        var endpoints = app.Configuration.GetSection("Kestrel:Endpoints").GetChildren();
        var addresses = Split(app.Configuration["urls"])
            .Concat(endpoints.Select(endpoint => endpoint["Url"] ?? ""))
            .Concat(string.IsNullOrEmpty(app.Configuration["https_ports"]) ? [] : ["https://"]);
        return addresses.Any(address => address.StartsWith("https://", StringComparison.OrdinalIgnoreCase));
    }

    private static string[] Split(string? list) =>
        (list ?? "").Split(';', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
}

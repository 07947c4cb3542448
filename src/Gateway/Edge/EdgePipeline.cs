using System.Net;
using Microsoft.AspNetCore.Cors.Infrastructure;
using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.AspNetCore.HttpsPolicy;
using Microsoft.Extensions.Options;
using IPNetwork = System.Net.IPNetwork;

namespace Gateway.Edge;

/// <summary>
/// What lies between the network and the routes: proxies, path base, https, CORS, and headers for browsers.
/// </summary>
internal static class EdgePipeline
{
    // The framework looks for these where it adds middleware by itself; here nothing is to run for each request.
    private static readonly string[] AddedByItself = ["__AuthenticationMiddlewareSet", "__AuthorizationMiddlewareSet"];

    public static void AddEdge(this IServiceCollection services)
    {
        services.AddCors();
        services.AddSingleton<ICorsPolicyProvider, Cors>();
        services.AddSingleton<ICorsService, Cors.Service>();
        services.AddHsts(_ => { });
        services.AddOptions<HstsOptions>().Configure<IOptionsMonitor<HttpsOptions>>(
            (hsts, options) => hsts.MaxAge = options.CurrentValue.HstsMaxAge);
    }

    /// <summary>Whose request it is and how it came, before anything looks at it.</summary>
    public static void UseProxies(this WebApplication app)
    {
        foreach (var key in AddedByItself) ((IApplicationBuilder)app).Properties[key] = true;
        var proxies = app.Services.GetRequiredService<IOptionsMonitor<ForwardedOptions>>().CurrentValue;
        if (proxies.IsConfigured) app.UseForwardedHeaders(Believing(proxies, app.Configuration["AllowedHosts"]));
        var pathBase = app.Services.GetRequiredService<IOptionsMonitor<PathBaseOptions>>().CurrentValue.Path;
        if (pathBase.Length > 0) app.UsePathBase(pathBase);
    }

    /// <summary>
    /// The framework's middleware as it is, but given its policies once: its own way compiles code at the start that
    /// looks them up for each request.
    /// </summary>
    public static void UseCors(this WebApplication app)
    {
        var services = app.Services;
        var (cors, policies) = (services.GetRequiredService<ICorsService>(), services.GetRequiredService<ICorsPolicyProvider>());
        app.Use(next =>
        {
            var middleware = new CorsMiddleware(next, cors, services.GetRequiredService<ILoggerFactory>());
            return http => middleware.Invoke(http, policies);
        });
    }

    /// <summary>Sends browsers to https, where there is one.</summary>
    public static void UseHttps(this WebApplication app)
    {
        var options = app.Services.GetRequiredService<IOptionsMonitor<HttpsOptions>>().CurrentValue;
        if (options.HstsMaxAge > TimeSpan.Zero) app.UseHsts();
        // Probes ask by plain http, and follow nothing.
        if (options.Redirect && HasBoth(app)) app.UseWhen(http => !http.Request.Path.StartsWithSegments("/health"), branch => branch.UseHttpsRedirection());
    }

    private static ForwardedHeadersOptions Believing(ForwardedOptions proxies, string? allowedHosts)
    {
        var options = new ForwardedHeadersOptions
        {
            ForwardedHeaders = ForwardedHeaders.XForwardedFor | ForwardedHeaders.XForwardedProto | ForwardedHeaders.XForwardedHost,
            ForwardLimit = proxies.ForwardLimit,
        };
        // The framework believes loopback by itself.
        options.KnownProxies.Clear();
        options.KnownIPNetworks.Clear();
        // What AllowedHosts says of Host goes for what a proxy says of it, too.
        foreach (var host in Split(allowedHosts).Where(host => host != "*")) options.AllowedHosts.Add(host);
        foreach (var proxy in proxies.KnownProxies.Select(IPAddress.Parse))
        {
            options.KnownProxies.Add(proxy.IsIPv4MappedToIPv6 ? proxy.MapToIPv4() : proxy);
        }
        foreach (var network in proxies.KnownNetworks) options.KnownIPNetworks.Add(IPNetwork.Parse(network));
        return options;
    }

    private static bool HasBoth(WebApplication app)
    {
        var addresses = Split(app.Configuration["urls"])
            .Concat(app.Configuration.GetSection("Kestrel:Endpoints").GetChildren().Select(endpoint => endpoint["Url"] ?? ""))
            .Concat(string.IsNullOrEmpty(app.Configuration["https_ports"]) ? [] : ["https://"]);
        return addresses.Any(address => address.StartsWith("https://", StringComparison.OrdinalIgnoreCase));
    }

    private static string[] Split(string? list) => (list ?? "").Split(';', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
}

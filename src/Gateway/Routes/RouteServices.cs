using Gateway.Edge;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Yarp.ReverseProxy.Forwarder;

namespace Gateway.Routes;

/// <summary>What is let through beside jobs.</summary>
internal static class RouteServices
{
    public static void AddRoutes(this IServiceCollection services)
    {
        services.AddHttpForwarder();
        // It logs what the upstream sent where that makes no sense, and that may be a credential.
        var forwarder = services.Last(service => service.ServiceType == typeof(IHttpForwarder)).ImplementationType!;
        services.AddSingleton(typeof(ILogger<>).MakeGenericType(forwarder),
            typeof(NullLogger<>).MakeGenericType(forwarder));
        services.AddSingleton<StreamSlots>();
        services.AddSingleton<ForwardedRoutes>();
        services.AddSingleton<IExposesHeaders>(provider => provider.GetRequiredService<ForwardedRoutes>());
        services.AddSingleton<RouteForwarder>();
    }
}

/// <summary>The routes of the configuration, as it was at the start.</summary>
internal sealed class ForwardedRoutes(IOptionsMonitor<RoutesOptions> options) : IExposesHeaders
{
    public ForwardedRoute[] All { get; } = ForwardedRoute.Of(options.CurrentValue.All);

    public IEnumerable<string> ResponseHeaders => All.SelectMany(route => route.ResponseHeaders);
}

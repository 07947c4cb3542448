using Gateway.Edge;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Yarp.ReverseProxy.Forwarder;

namespace Gateway.Routes;

/// <summary>Registers the forwarding of other operations than jobs.</summary>
internal static class RouteServices
{
    public static void AddRoutes(this IServiceCollection services)
    {
        services.AddHttpForwarder();
        // The forwarder logs malformed data of the upstream, which may hold a credential.
        var forwarder = services.Last(service => service.ServiceType == typeof(IHttpForwarder)).ImplementationType!;
        services.AddSingleton(typeof(ILogger<>).MakeGenericType(forwarder),
            typeof(NullLogger<>).MakeGenericType(forwarder));
        services.AddSingleton<StreamSlots>();
        services.AddSingleton<ForwardedRoutes>();
        services.AddSingleton<IExposesHeaders>(provider => provider.GetRequiredService<ForwardedRoutes>());
        services.AddSingleton<AnswerReferences>();
        services.AddSingleton<RouteForwarder>();
    }
}

/// <summary>The routes in the configuration at the start.</summary>
internal sealed class ForwardedRoutes(IOptionsMonitor<RoutesOptions> options) : IExposesHeaders
{
    public ForwardedRoute[] All { get; } = ForwardedRoute.Of(options.CurrentValue.All);

    public IEnumerable<string> ResponseHeaders =>
        All.SelectMany(route => route.ResponseHeaders.Append("Content-Range"));
}

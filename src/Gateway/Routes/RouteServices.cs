using Gateway.Configuration;

namespace Gateway.Routes;

/// <summary>What is let through beside jobs.</summary>
internal static class RouteServices
{
    public static void AddRoutes(this IServiceCollection services)
    {
        services.AddHttpForwarder();
        services.AddSingleton<ForwardedRoutes>();
        services.AddSingleton<RouteForwarder>();
    }
}

/// <summary>The routes of the configuration, as it was at the start.</summary>
internal sealed class ForwardedRoutes(LiveConfiguration configuration)
{
    public ForwardedRoute[] All { get; } = ForwardedRoute.Of(configuration.Current.Routes);
}

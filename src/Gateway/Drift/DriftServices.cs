using Gateway.Caching;

namespace Gateway.Drift;

/// <summary>Checks whether the upstream still sends what the contract says.</summary>
internal static class DriftServices
{
    public static void AddDrift(this IServiceCollection services)
    {
        services.AddSingleton<DriftBook>();
        services.AddSingleton<DriftMetrics>();
        services.AddSingleton<DriftWatch>();
        services.AddSingleton<IJobObserver>(provider => provider.GetRequiredService<DriftWatch>());
        services.AddHostedService(provider => provider.GetRequiredService<DriftWatch>());
    }
}

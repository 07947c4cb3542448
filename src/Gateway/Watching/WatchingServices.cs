namespace Gateway.Watching;

/// <summary>Registers the watching of jobs.</summary>
internal static class WatchingServices
{
    public static void AddWatching(this IServiceCollection services)
    {
        services.AddSingleton<WatchingMetrics>();
        services.AddSingleton<WatchedJobs>();
        services.AddSingleton<LongPoll>();
        services.AddSingleton<EventStreams>();
    }
}

namespace Gateway.Usage;

/// <summary>Registers the counting of requests and calls by team and key.</summary>
internal static class UsageServices
{
    public static void AddUsage(this IServiceCollection services)
    {
        services.AddSingleton<UsageBook>();
        services.AddSingleton<SharedUsage>();
        services.AddSingleton<UsageEndpoint>();
        services.AddHostedService<UsageFlush>();
    }
}

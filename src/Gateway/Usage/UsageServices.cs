namespace Gateway.Usage;

/// <summary>Registers the count of what teams and keys use.</summary>
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

namespace Gateway.Redis;

/// <summary>What nodes share, and the watch over it.</summary>
internal static class RedisServices
{
    public static void AddRedis(this IServiceCollection services)
    {
        services.AddSingleton<RedisConnection>();
        services.AddSingleton<LeftTurns>();
        services.AddSingleton<SharedJobs>();
        services.AddSingleton<JobChannel>();
        services.AddSingleton<PurgeLog>();
        services.AddHostedService<RedisWatch>();
    }
}

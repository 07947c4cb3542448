namespace Gateway.Redis;

/// <summary>Registers the connection to Redis and its watch.</summary>
internal static class RedisServices
{
    public static void AddRedis(this IServiceCollection services)
    {
        services.AddSingleton<RedisMetrics>();
        services.AddSingleton<RedisConnection>();
        services.AddSingleton<FetchOrder>();
        services.AddRedisParticipant<NodeCount>();
        services.AddHostedService<RedisWatch>();
    }

    /// <summary>Adds a part of the gateway that keeps state in Redis.</summary>
    public static void AddRedisParticipant<T>(this IServiceCollection services) where T : class, IRedisParticipant
    {
        services.AddSingleton<T>();
        services.AddSingleton<IRedisParticipant>(provider => provider.GetRequiredService<T>());
    }
}

using Gateway.Redis;

namespace Gateway.Caching;

/// <summary>What is known of jobs, and how to know more.</summary>
internal static class CachingServices
{
    public static void AddCaching(this IServiceCollection services)
    {
        services.AddSingleton<CacheMetrics>();
        services.AddSingleton<JobSource>();
        services.AddSingleton<JobCache>();
        services.AddSingleton<JobMemory>();
        services.AddSingleton<LargeBodies>();
        services.AddSingleton<Pacing>();
        services.AddSingleton<PurgeMarks>();
        services.AddSingleton<SharedJobs>();
        services.AddRedisParticipant<JobChannel>();
        services.AddRedisParticipant<PurgeLog>();
        services.AddRedisParticipant<OrphanedLocks>();
    }
}

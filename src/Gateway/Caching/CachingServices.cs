using Gateway.Redis;
using Microsoft.Extensions.Caching.Distributed;

namespace Gateway.Caching;

/// <summary>Registers the job cache.</summary>
internal static class CachingServices
{
    public static void AddCaching(this IServiceCollection services)
    {
        // The distributed cache holds finished jobs. The gateway uses it only while Redis is available.
        services.AddSingleton<IDistributedCache, CurrentRedisCache>();
        services.AddSingleton<CacheMetrics>();
        services.AddSingleton<HeldLocks>();
        services.AddSingleton<JobSource>();
        services.AddSingleton<JobCache>();
        services.AddSingleton<JobInspector>();
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

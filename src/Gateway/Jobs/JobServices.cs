namespace Gateway.Jobs;

/// <summary>What is known of jobs, and how to know more.</summary>
internal static class JobServices
{
    public static void AddJobs(this IServiceCollection services)
    {
        services.AddSingleton<JobSource>();
        services.AddSingleton<JobCache>();
        services.AddSingleton<JobMemory>();
        services.AddSingleton<LargeBodies>();
        services.AddSingleton<Pacing>();
        services.AddSingleton<PurgeMarks>();
        services.AddSingleton<FetchOrder>();
    }
}

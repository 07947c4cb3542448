namespace Gateway.Admin;

/// <summary>Registers and maps the requests for operators that belong to no other feature.</summary>
internal static class AdminServices
{
    public static void AddAdmin(this IServiceCollection services)
    {
        services.AddSingleton<OperatorGate>();
        services.AddSingleton<PurgeEndpoint>();
        services.AddSingleton<JobReportEndpoint>();
        services.AddSingleton<UnmatchedEndpoint>();
    }

    public static void MapAdmin(this WebApplication app)
    {
        PurgeEndpoint.Map(app);
        JobReportEndpoint.Map(app);
        ConfigurationEndpoint.Map(app);
        UnmatchedEndpoint.Map(app);
    }
}

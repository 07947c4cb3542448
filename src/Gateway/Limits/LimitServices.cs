namespace Gateway.Limits;

/// <summary>How often callers may ask.</summary>
internal static class LimitServices
{
    public static void AddLimits(this IServiceCollection services)
    {
        services.AddSingleton<QuotaMetrics>();
        services.AddSingleton<Quotas>();
        services.AddSingleton<SharedQuotas>();
        services.AddHostedService<QuotaKeeper>();
    }
}

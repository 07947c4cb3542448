namespace Gateway.Limits;

/// <summary>Registers the quotas of callers.</summary>
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

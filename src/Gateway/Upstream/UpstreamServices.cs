namespace Gateway.Upstream;

/// <summary>Where jobs come from.</summary>
internal static class UpstreamServices
{
    public static void AddUpstream(this IServiceCollection services)
    {
        services.AddSingleton<UpstreamMetrics>();
        services.AddSingleton<Accounts>();
        services.AddSingleton<AccountGates>();
        services.AddSingleton<OutboundChain>();
        services.AddSingleton<TrialClient>();
        services.AddSingleton<AccountCalls>();
        services.AddSingleton<UpstreamClient>();
    }
}

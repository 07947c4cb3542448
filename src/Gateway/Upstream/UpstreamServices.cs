namespace Gateway.Upstream;

/// <summary>Registers the upstream's services.</summary>
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

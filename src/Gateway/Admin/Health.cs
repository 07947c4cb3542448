using Gateway.Redis;
using Gateway.Upstream;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Gateway.Admin;

/// <summary>
/// Liveness: the process answers; it looks at nothing else. Readiness: this node can do its work; a missing Redis is
/// reported, but takes no node out of service, for nodes go on without it.
/// </summary>
internal static class Health
{
    public static readonly HealthCheckOptions Live = new() { Predicate = _ => false };

    public static readonly HealthCheckOptions Ready = new() { Predicate = _ => true };

    public static void AddHealth(this IServiceCollection services) => services.AddHealthChecks()
        .AddCheck<Stopping>("stopping")
        .AddCheck<Credentials>("credentials")
        .AddCheck<Shared>("redis");

    public static void MapHealth(this WebApplication app)
    {
        app.MapHealthChecks("/health/live", Live);
        app.MapHealthChecks("/health/ready", Ready);
    }

    private sealed class Stopping(IHostApplicationLifetime lifetime) : IHealthCheck
    {
        public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
            Task.FromResult(lifetime.ApplicationStopping.IsCancellationRequested
                ? HealthCheckResult.Unhealthy("Stopping") : HealthCheckResult.Healthy());
    }

    private sealed class Credentials(Accounts accounts, AccountGates gates) : IHealthCheck
    {
        public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
        {
            foreach (var name in accounts.Names)
            {
                if (await accounts.CredentialsOfAsync(name) is []) return HealthCheckResult.Unhealthy("An account has no readable credential");
            }
            return accounts.Names.Any(name => gates.Of(name).Credentials.Standing == CredentialStanding.Refused)
                ? HealthCheckResult.Degraded("The upstream takes no credential of an account; cached jobs are still served")
                : HealthCheckResult.Healthy();
        }
    }

    private sealed class Shared(RedisConnection redis) : IHealthCheck
    {
        public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
            Task.FromResult(!redis.IsConfigured || redis.IsAvailable
                ? HealthCheckResult.Healthy() : HealthCheckResult.Degraded("Redis is away; this node goes on with memory alone"));
    }
}

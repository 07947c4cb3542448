using Gateway.Redis;
using Gateway.Runtime;
using Gateway.Upstream;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Gateway.Admin;

/// <summary>
/// The health checks. The liveness check only shows that the process answers. The readiness check shows that the node
/// can serve requests. The check reports a missing Redis, but the node stays ready, because it works without Redis.
/// </summary>
internal static class Health
{
    public static readonly HealthCheckOptions Live = new() { Predicate = _ => false };

    public static readonly HealthCheckOptions Ready = new() { Predicate = _ => true, ResponseWriter = WriteAsync };

    public static void AddHealth(this IServiceCollection services)
    {
        services.AddSingleton<ConfigurationReport>();
        services.AddHealthChecks()
            .AddCheck<Stopping>("stopping")
            .AddCheck<Credentials>("credentials")
            .AddCheck<Shared>("redis")
            .AddCheck<ConfigurationReport>("configuration");
    }

    public static void MapHealth(this WebApplication app)
    {
        // Create the metrics of the configuration now, and not at the first check.
        _ = app.Services.GetRequiredService<ConfigurationReport>();
        app.MapHealthChecks("/health/live", Live);
        app.MapHealthChecks("/health/ready", Ready);
    }

    /// <summary>Writes the status, and a line for each reason if it is not <c>Healthy</c>.</summary>
    private static Task WriteAsync(HttpContext http, HealthReport report)
    {
        http.Response.ContentType = "text/plain; charset=utf-8";
        var reasons = report.Entries.Values.Where(entry => entry.Status != HealthStatus.Healthy)
            .Select(entry => entry.Description);
        return http.Response.WriteAsync(string.Join('\n', [$"{report.Status}", .. reasons]), http.RequestAborted);
    }

    private sealed class Stopping(Drain drain, IHostApplicationLifetime lifetime) : IHealthCheck
    {
        public Task<HealthCheckResult> CheckHealthAsync(
            HealthCheckContext context, CancellationToken cancellationToken = default) =>
            Task.FromResult(drain.IsUnderWay || lifetime.ApplicationStopping.IsCancellationRequested
                ? HealthCheckResult.Unhealthy("Stopping") : HealthCheckResult.Healthy());
    }

    private sealed class Credentials(Accounts accounts, AccountGates gates) : IHealthCheck
    {
        public async Task<HealthCheckResult> CheckHealthAsync(
            HealthCheckContext context, CancellationToken cancellationToken = default)
        {
            foreach (var name in accounts.Names)
            {
                if (await accounts.CredentialsOfAsync(name) is [])
                {
                    return HealthCheckResult.Unhealthy("An account has no readable credential");
                }
            }
            return accounts.Names.Any(name => gates.Of(name).Standing == CredentialStanding.Refused)
                ? HealthCheckResult.Degraded(
                    "The upstream refuses all credentials of an account; fresh jobs in the cache are still served")
                : HealthCheckResult.Healthy();
        }
    }

    private sealed class Shared(RedisConnection redis) : IHealthCheck
    {
        public Task<HealthCheckResult> CheckHealthAsync(
            HealthCheckContext context, CancellationToken cancellationToken = default) =>
            Task.FromResult(redis.Problem is { } problem
                ? HealthCheckResult.Degraded(problem) : HealthCheckResult.Healthy());
    }
}

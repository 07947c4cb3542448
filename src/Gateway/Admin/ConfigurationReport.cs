using System.Diagnostics.Metrics;
using Gateway.Configuration;
using Gateway.Telemetry;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Gateway.Admin;

/// <summary>Reports in metrics and in health whether the newest configuration is in force.</summary>
internal sealed class ConfigurationReport : IHealthCheck
{
    private readonly IConfigurationState _state;

    public ConfigurationReport(IConfigurationState state, IMeterFactory meters)
    {
        _state = state;
        var meter = meters.CreateGateway();
        meter.CreateObservableGauge("gateway.configuration.refused", () => state.Errors.Count > 0 ? 1 : 0, null,
            "1 while the newest configuration is refused");
        meter.CreateObservableGauge(
            "gateway.configuration.applied", () => state.AppliedAt.ToUnixTimeMilliseconds() / 1000.0, "s",
            "When a configuration was last put in force, in seconds since 1970");
    }

    /// <remarks>The description contains no error, because a health check is open to everyone.</remarks>
    public Task<HealthCheckResult> CheckHealthAsync(
        HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(_state.Errors.Count == 0 ? HealthCheckResult.Healthy()
            : HealthCheckResult.Degraded(
                "The newest configuration is refused, and the previous one stays in force; the log names the errors"));
}

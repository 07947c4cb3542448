using System.Diagnostics.Metrics;
using Microsoft.Extensions.Options;
using OpenTelemetry.Metrics;

namespace Gateway.Telemetry;

/// <summary>The numbers of configured names that appear as tags of metrics.</summary>
internal sealed record ConfiguredNames(int Teams, int Accounts, int Routes, int Quotas);

/// <summary>
/// The number of series that each metric may have. The SDK allows <see cref="Least"/>, and adds further combinations of
/// tags up in one series with the tag <c>otel.metric.overflow</c>. Metrics whose tags hold configured names may have as
/// many series as the configuration allows at the start. The SDK allocates the memory at once, about 120 bytes for each
/// series, so there is an upper limit.
/// </summary>
internal sealed class SeriesLimits(IOptionsMonitor<ConfiguredNames> configured)
{
    public const int Least = 2000, Most = 50_000;

    // The gateway and the upstream use about this many statuses.
    private const int Statuses = 12;

    // The operations on jobs. A route is one more operation.
    private const int JobOperations = 4;

    // Twice the configured names, because names can be added while the node runs. The empty name stands for no team.
    private readonly ConfiguredNames _names = new(
        2 * configured.CurrentValue.Teams + 1, 2 * configured.CurrentValue.Accounts,
        configured.CurrentValue.Routes, 2 * configured.CurrentValue.Quotas);

    public int Of(Instrument instrument) => Math.Clamp(Needed(instrument.Name), Least, Most);

    private int Needed(string metric) => metric switch
    {
        "gateway.requests" => _names.Teams * (JobOperations + _names.Routes) * Statuses / 2,
        "gateway.cache.lookups" => _names.Teams * 5,
        "gateway.quota.exceeded" => _names.Quotas * 2,
        "gateway.route.dropped_references" => _names.Routes * 5,
        "gateway.upstream.calls" => _names.Accounts * Statuses,
        "gateway.account.wait_time" => _names.Accounts * 6,
        // Routes and fixed endpoints, by method, version of HTTP and scheme.
        "http.server.request.duration" => Least + _names.Routes * Statuses * 12,
        _ when metric.StartsWith("gateway.account.", StringComparison.Ordinal) => _names.Accounts,
        _ => 0,
    };

    /// <summary>Returns the view of an instrument; null for the SDK's default.</summary>
    public MetricStreamConfiguration? ViewOf(Instrument instrument) => instrument.Name switch
    {
        // This metric costs two updates for each request, and most requests end at once.
        "http.server.active_requests" => MetricStreamConfiguration.Drop,
        "http.server.request.duration" => new ExplicitBucketHistogramConfiguration
        {
            // A hit takes less than a millisecond, and a request may wait for a change for a minute.
            Boundaries =
            [
                0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
            ],
            CardinalityLimit = Of(instrument),
        },
        _ when Of(instrument) > Least => new MetricStreamConfiguration { CardinalityLimit = Of(instrument) },
        _ => null,
    };
}

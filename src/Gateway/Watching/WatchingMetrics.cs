using System.Diagnostics.Metrics;
using Gateway.Telemetry;

namespace Gateway.Watching;

/// <summary>The metrics of watched jobs.</summary>
internal sealed class WatchingMetrics(IMeterFactory meters)
{
    private readonly Meter _meter = meters.CreateGateway();

    public void Observe(Func<int> watchers, Func<int> jobs)
    {
        _meter.CreateObservableUpDownCounter("gateway.watchers", watchers, "{watcher}", "Callers that watch a job");
        _meter.CreateObservableUpDownCounter("gateway.watched.jobs", jobs, "{job}", "Jobs that callers watch");
    }
}

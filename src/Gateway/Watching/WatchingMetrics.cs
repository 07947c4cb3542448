using System.Diagnostics.Metrics;
using Gateway.Telemetry;

namespace Gateway.Watching;

/// <summary>The metrics of watched jobs.</summary>
internal sealed class WatchingMetrics
{
    private readonly Meter _meter;
    private readonly Counter<long> _polls;

    public WatchingMetrics(IMeterFactory meters)
    {
        _meter = meters.CreateGateway();
        _polls = _meter.CreateCounter<long>(
            "gateway.watched.polls", "{poll}", "Fetches of jobs because callers watch them");
    }

    public void Polled() => _polls.Add(1);

    public void Observe(Func<int> watchers, Func<int> jobs)
    {
        _meter.CreateObservableUpDownCounter("gateway.watchers", watchers, "{watcher}", "Callers that watch a job");
        _meter.CreateObservableUpDownCounter("gateway.watched.jobs", jobs, "{job}", "Jobs that callers watch");
    }
}

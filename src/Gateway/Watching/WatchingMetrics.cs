using System.Diagnostics.Metrics;
using Gateway.Telemetry;

namespace Gateway.Watching;

/// <summary>The metrics of watched jobs.</summary>
internal sealed class WatchingMetrics
{
    private readonly Meter _meter;
    private readonly Counter<long> _events;
    private readonly Histogram<double> _delays;
    private readonly Counter<long> _polls;

    public WatchingMetrics(IMeterFactory meters)
    {
        _meter = meters.CreateGateway();
        _events = _meter.CreateCounter<long>("gateway.events", "{event}", "Events sent, by type");
        _delays = _meter.CreateHistogram<double>(
            "gateway.event.delay", "s", "Time from the fetch of a change to the flush of its event",
            advice: new() { HistogramBucketBoundaries = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1] });
        _polls = _meter.CreateCounter<long>(
            "gateway.watched.polls", "{poll}", "Fetches of jobs because callers watch them");
    }

    public void Polled() => _polls.Add(1);

    public void Observe(Func<int> watchers, Func<int> jobs)
    {
        _meter.CreateObservableUpDownCounter("gateway.watchers", watchers, "{watcher}", "Callers that watch a job");
        _meter.CreateObservableUpDownCounter("gateway.watched.jobs", jobs, "{job}", "Jobs that callers watch");
    }

    public void Sent(string type) => _events.Add(1, new KeyValuePair<string, object?>("gateway.event.type", type));

    /// <param name="time">The time from the fetch of a change to the flush of its event.</param>
    public void Delayed(TimeSpan time) => _delays.Record(Math.Max(0, time.TotalSeconds));
}

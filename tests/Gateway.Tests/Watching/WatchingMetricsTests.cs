using System.Diagnostics.Metrics;
using Gateway.Tests.Infrastructure;
using Microsoft.Extensions.DependencyInjection;
using Simulator;

namespace Gateway.Tests.Watching;

/// <summary>The metrics of watching, as operators see them.</summary>
public sealed class WatchingMetricsTests
{
    [Fact]
    public async Task Watchers_polls_events_and_their_delay_are_measured()
    {
        await using var world = await World.StartAsync();
        world.Upstream.Lives.Set("life", LifeStage.Queued);
        using var metrics = new Metrics(world.Gateway);
        await using var one = await EventReader.OpenAsync(world.Gateway, EventReader.PathOf("life"));
        await one.NextAsync("job");
        var two = await EventReader.OpenAsync(
            world.Gateway, "v0/events?job=survey-1/life&job=survey-1/run-600");
        await two.NextAsync("job");
        await two.NextAsync("job");

        Assert.Equal((3, 2), (metrics.Read("gateway.watchers"), metrics.Read("gateway.watched.jobs")));
        await two.DisposeAsync();
        await Wait.UntilAsync(TimeSpan.FromSeconds(10), () =>
            (metrics.Read("gateway.watchers"), metrics.Read("gateway.watched.jobs")) == (1, 1), "one stream is left");

        var delayed = metrics.Read("gateway.event.delay");
        world.Upstream.Lives.Set("life", LifeStage.Running);
        await one.NextAsync("job");
        world.Upstream.Faults.Add(new Fault { Kind = FaultKind.Status, Status = 500 });
        await one.NextAsync("problem");
        world.Upstream.Faults.Clear();
        await one.NextAsync("recovered");
        world.Upstream.Lives.Set("life", LifeStage.Failed);
        await one.NextAsync("job");
        await one.NextAsync("end");
        await one.RestAsync();
        await Wait.UntilAsync(
            TimeSpan.FromSeconds(10), () => metrics.Read("gateway.watchers") == 0, "no stream is left");

        // The second stream may have left before its client read an event of the other job.
        Assert.InRange(metrics.Read("gateway.events", "job"), 5, 8);
        Assert.Equal((1, 1, 1), (metrics.Read("gateway.events", "problem"), metrics.Read("gateway.events", "recovered"),
            metrics.Read("gateway.events", "end")));
        Assert.Equal(2, metrics.Read("gateway.event.delay") - delayed);
        Assert.InRange(metrics.Longest, 0.000_001, 5);
        Assert.InRange(metrics.Read("gateway.watched.polls"), 5, world.Upstream.Ledger.Total);
    }

    [Fact]
    public async Task The_time_of_a_stream_is_not_counted_as_the_duration_of_a_request()
    {
        await using var world = await World.StartAsync();
        using var metrics = new Metrics(world.Gateway);
        await using var stream = await EventReader.OpenAsync(world.Gateway, EventReader.PathOf("finished-1"));
        await stream.NextAsync("job");
        await stream.RestAsync();
        using var job = await world.GetAsync("finished-1");
        await Wait.UntilAsync(
            TimeSpan.FromSeconds(10), () => metrics.Read("http.server.request.duration") > 0, "the job is counted");

        Assert.Equal(1, metrics.Read("http.server.request.duration"));
    }

    [Fact]
    public async Task A_state_that_is_older_than_its_stream_has_no_delay()
    {
        await using var world = await World.StartAsync();
        using var known = await world.GetAsync("finished-1");
        using var metrics = new Metrics(world.Gateway);
        await using var stream = await EventReader.OpenAsync(world.Gateway, EventReader.PathOf("finished-1"));
        await stream.NextAsync("job");
        await stream.RestAsync();
        await Wait.UntilAsync(
            TimeSpan.FromSeconds(10), () => metrics.Read("gateway.watchers") == 0, "the stream has ended");

        Assert.Equal(0, metrics.Read("gateway.event.delay"));
    }

    private sealed class Metrics : IDisposable
    {
        private readonly Lock _lock = new();
        private readonly MeterListener _listener = new();
        private readonly Dictionary<(string Name, string? Type), long> _values = [];
        private readonly HashSet<string> _observed = [];

        public Metrics(GatewayNode node)
        {
            var factory = node.Services.GetRequiredService<IMeterFactory>();
            _listener.InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter.Scope != factory) return;
                if (instrument.IsObservable) _observed.Add(instrument.Name);
                listener.EnableMeasurementEvents(instrument);
            };
            _listener.SetMeasurementEventCallback<int>((instrument, value, tags, _) => Note(instrument, tags, value));
            _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Note(instrument, tags, value));
            _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) =>
            {
                Note(instrument, tags, 1);
                lock (_lock)
                {
                    if (instrument.Name == "gateway.event.delay") Longest = Math.Max(Longest, value);
                }
            });
            _listener.Start();
        }

        /// <summary>The longest delay of an event, in seconds.</summary>
        public double Longest { get; private set; }

        /// <summary>The last value of a gauge, the sum of a counter, or how often a histogram was measured.</summary>
        public long Read(string name, string? type = null)
        {
            _listener.RecordObservableInstruments();
            lock (_lock) return _values.GetValueOrDefault((name, type));
        }

        public void Dispose() => _listener.Dispose();

        private void Note(Instrument instrument, ReadOnlySpan<KeyValuePair<string, object?>> tags, long value)
        {
            var type = instrument.Name == "gateway.events" ? (string?)tags[0].Value : null;
            lock (_lock)
            {
                var key = (instrument.Name, type);
                _values[key] = _observed.Contains(instrument.Name) ? value : _values.GetValueOrDefault(key) + value;
            }
        }
    }
}

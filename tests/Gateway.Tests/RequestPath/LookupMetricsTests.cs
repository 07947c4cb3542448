using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Gateway.Tests.Infrastructure;
using Microsoft.Extensions.DependencyInjection;
using Simulator;

namespace Gateway.Tests.RequestPath;

/// <summary>Operators see a look-up as one outcome in the metrics, and as the cache status in the log line.</summary>
public sealed class LookupMetricsTests
{
    [Fact]
    public async Task Each_look_up_counts_as_one_outcome_and_its_log_line_has_the_cache_status()
    {
        await using var world = await World.StopClockAsync();
        using var outcomes = new Outcomes(world.Gateway);

        using var miss = await world.GetAsync("run-300");
        using var hit = await world.GetAsync("run-300");
        world.Clock!.Advance(TimeSpan.FromSeconds(5));
        using var refresh = await world.GetAsync("run-300");
        world.Upstream.Faults.Add(new Fault { Kind = FaultKind.Status, Status = 500 });
        world.Clock.Advance(TimeSpan.FromSeconds(5));
        using var stale = await world.GetAsync("run-300");
        using var failed = await world.GetAsync("finished-1");
        world.Upstream.Faults.Clear();
        world.Clock.Advance(TimeSpan.FromMinutes(1));
        world.Upstream.Faults.Add(new Fault { Kind = FaultKind.Delay, Delay = TimeSpan.FromSeconds(1) });
        var together = Task.WhenAll(world.GetAsync("finished-2"), world.GetAsync("finished-2"));
        await Wait.UntilAsync(TimeSpan.FromSeconds(10), () =>
        {
            world.Clock.Advance(TimeSpan.FromMilliseconds(100));
            return together.IsCompleted;
        }, "both callers have an answer");
        foreach (var answer in await together) answer.Dispose();

        Assert.Equal(
            new Dictionary<string, long>
            {
                ["hit"] = 1,
                ["miss"] = 3,
                ["collapsed"] = 1,
                ["stale-if-error"] = 1,
                ["failed"] = 1,
            },
            outcomes.Read());
        // The server records the duration after the answer.
        await Wait.UntilAsync(
            TimeSpan.FromSeconds(10), () => outcomes.Durations.Values.Sum() == 7, "all durations are recorded");
        Assert.Equal(outcomes.Read(), outcomes.Durations);
        foreach (var answer in (HttpResponseMessage[])[miss, hit, refresh, stale, failed])
        {
            var status = JobTests.CacheStatus(answer);
            Assert.Contains(world.Gateway.Log.All,
                line => line.Contains($", cache {status}, ", StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task A_request_that_waited_for_a_change_does_not_count_as_slow_hit()
    {
        await using var world = await World.StartAsync();
        using var outcomes = new Outcomes(world.Gateway);
        using var first = await world.GetAsync("run-300");
        using var second = await world.GetAsync("run-300", headers:
            [("Prefer", "wait=1"), ("If-None-Match", first.Headers.ETag!.ToString())]);

        await Wait.UntilAsync(
            TimeSpan.FromSeconds(10), () => outcomes.Durations.Values.Sum() == 2, "both durations are recorded");

        Assert.Equal(["miss", "waited"], outcomes.Durations.Keys.Order(StringComparer.Ordinal));
    }

    private sealed class Outcomes : IDisposable
    {
        private readonly MeterListener _listener = new();
        private readonly Dictionary<string, long> _counts = new(StringComparer.Ordinal);
        private readonly ConcurrentDictionary<string, long> _durations = new(StringComparer.Ordinal);

        public Outcomes(GatewayNode node)
        {
            var factory = node.Services.GetRequiredService<IMeterFactory>();
            _listener.InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter.Scope != factory) return;
                if (instrument.Name is "gateway.cache.lookups" or "http.server.request.duration")
                    listener.EnableMeasurementEvents(instrument);
            };
            _listener.SetMeasurementEventCallback<double>((_, _, tags, _) =>
            {
                foreach (var (name, value) in tags)
                {
                    if (name == "gateway.cache.outcome") _durations.AddOrUpdate($"{value}", 1, (_, count) => count + 1);
                }
            });
            _listener.SetMeasurementEventCallback<long>((_, value, tags, _) => _counts[$"{tags[1].Value}"] = value);
            _listener.Start();
        }

        /// <summary>The number of recorded durations by outcome.</summary>
        public IReadOnlyDictionary<string, long> Durations => _durations;

        public Dictionary<string, long> Read()
        {
            _listener.RecordObservableInstruments();
            return _counts;
        }

        public void Dispose() => _listener.Dispose();
    }
}

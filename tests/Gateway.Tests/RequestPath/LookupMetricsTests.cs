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
        await Purging.WithinAsync(TimeSpan.FromSeconds(10), () =>
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
        foreach (var answer in (HttpResponseMessage[])[miss, hit, refresh, stale, failed])
        {
            var status = JobTests.CacheStatus(answer);
            Assert.Contains(world.Gateway.Log.All,
                line => line.Contains($", cache {status}, ", StringComparison.Ordinal));
        }
    }

    private sealed class Outcomes : IDisposable
    {
        private readonly MeterListener _listener = new();
        private readonly Dictionary<string, long> _counts = new(StringComparer.Ordinal);

        public Outcomes(GatewayNode node)
        {
            var factory = node.Services.GetRequiredService<IMeterFactory>();
            _listener.InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter.Scope != factory || instrument.Name != "gateway.cache.lookups") return;
                listener.EnableMeasurementEvents(instrument);
            };
            _listener.SetMeasurementEventCallback<long>((_, value, tags, _) => _counts[$"{tags[0].Value}"] = value);
            _listener.Start();
        }

        public Dictionary<string, long> Read()
        {
            _listener.RecordObservableInstruments();
            return _counts;
        }

        public void Dispose() => _listener.Dispose();
    }
}

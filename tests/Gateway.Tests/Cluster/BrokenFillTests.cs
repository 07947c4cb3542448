using System.Diagnostics.Metrics;
using System.Net;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.RequestPath;
using Microsoft.Extensions.DependencyInjection;
using StackExchange.Redis;

namespace Gateway.Tests.Cluster;

/// <summary>An unexpected exception in the middle of a fill.</summary>
[Trait("Redis", "any")]
public sealed class BrokenFillTests(RedisServer redis)
{
    [Fact]
    public async Task A_fill_that_throws_releases_the_fetch_lock_and_shares_its_failure()
    {
        await using var world = await World.StartAsync(
            ("ConnectionStrings:Redis", redis.ConnectionString), ("Upstream:Timeout", "00:01:00"));
        var two = world.AddGateway();
        using var defect = Break(world.Gateway);

        using var broken = await world.GetAsync("finished-1");
        Assert.Equal(HttpStatusCode.InternalServerError, broken.StatusCode);
        Assert.Equal("/problems/internal-error", await BoundTests.ProblemTypeAsync(broken));
        await using var connection = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString);
        var left = (string?)await connection.GetDatabase().StringGetAsync(
            $"gateway:{{{world.Account}/survey-1/finished-1}}:lock");
        Assert.Matches("^[fr]:", left);
        using var again = await world.GetAsync("finished-1");
        Assert.Equal(HttpStatusCode.InternalServerError, again.StatusCode);
        // The failure backs off, so that not every request causes a fetch.
        Assert.Equal(1, world.Upstream.Ledger.Total);
        var line = Assert.Single(
            world.Gateway.Log.All, line => line.Contains("a defect in the middle", StringComparison.Ordinal));
        Assert.StartsWith("Error", line, StringComparison.Ordinal);
        Assert.Contains($"at {typeof(BrokenFillTests).FullName}", line, StringComparison.Ordinal);

        await Wait.UntilAsync(TimeSpan.FromSeconds(15), async () =>
        {
            using var answer = await World.GetAsync(two, "finished-1");
            return answer.StatusCode == HttpStatusCode.OK;
        }, "another node fetches it");
    }

    [Fact]
    public async Task A_fill_that_throws_serves_the_last_snapshot_as_stale()
    {
        await using var world = await World.StartAsync(("Jobs:RunningLifetime", "00:00:00.5"));
        using (var seen = await world.GetAsync("run-300")) Assert.Equal(HttpStatusCode.OK, seen.StatusCode);
        await Task.Delay(TimeSpan.FromSeconds(0.8), World.Cancellation);
        using var defect = Break(world.Gateway);

        using var stale = await world.GetAsync("run-300");

        Assert.Equal(HttpStatusCode.OK, stale.StatusCode);
        Assert.Contains("detail=gateway-error", JobTests.CacheStatus(stale), StringComparison.Ordinal);
    }

    // A metric listener runs inside the code that records, so its exception is thrown there.
    private static MeterListener Break(GatewayNode node)
    {
        var meters = node.Services.GetRequiredService<IMeterFactory>();
        var listener = new MeterListener
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Name == "gateway.fill.duration" && instrument.Meter.Name == "Gateway"
                    && ReferenceEquals(instrument.Meter.Scope, meters)) listener.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<double>(
            (_, _, _, _) => throw new InvalidOperationException("a defect in the middle"));
        listener.Start();
        return listener;
    }
}

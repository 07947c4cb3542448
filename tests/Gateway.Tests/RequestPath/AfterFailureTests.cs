using System.Net;
using Gateway.Tests.Infrastructure;
using Simulator;

namespace Gateway.Tests.RequestPath;

public sealed class AfterFailureTests
{
    private static readonly TimeSpan BackOff = TimeSpan.FromMilliseconds(300);

    [Theory]
    [InlineData("run-300", HttpStatusCode.OK)]
    [InlineData("run-300-unseen", HttpStatusCode.BadGateway)]
    public async Task After_a_failure_callers_wait_shortly_for_the_next_fill_which_goes_on_and_ends_that(string job, HttpStatusCode meanwhile)
    {
        await using var world = await World.StartAsync(("Jobs:RunningLifetime", "00:00:00.5"));
        using var seen = await world.GetAsync("run-300");
        await Task.Delay(500, World.Cancellation);
        world.Upstream.Faults.Add(new Fault { Kind = FaultKind.Status, Status = 500, Times = 1 });
        using var failed = await world.GetAsync(job);
        await Task.Delay(BackOff, World.Cancellation);
        world.Upstream.Faults.Add(new Fault { Kind = FaultKind.Delay, Delay = TimeSpan.FromSeconds(2), Times = 2 });

        using var impatient = await world.GetAsync(job);
        var calls = world.Upstream.Ledger.Calls.Count;
        for (var waited = 0; world.Upstream.Ledger.Calls.Count == calls; waited++)
        {
            Assert.True(waited < 500, "The fill did not go on.");
            await Task.Delay(10, World.Cancellation);
        }
        await Task.Delay(700, World.Cancellation);
        using var patient = await world.GetAsync(job);

        Assert.Equal((meanwhile, meanwhile), (failed.StatusCode, impatient.StatusCode));
        Assert.EndsWith("detail=upstream-500", JobTests.CacheStatus(impatient), StringComparison.Ordinal);
        Assert.Equal("Gateway; fwd=stale; fwd-status=200; stored", JobTests.CacheStatus(patient));
    }
}

using System.Net;
using Gateway.Tests.Infrastructure;
using Simulator;

namespace Gateway.Tests.RequestPath;

public sealed class AfterFailureTests
{
    // Long enough that what is waited for here is over for sure, by whatever clock.
    private static readonly TimeSpan Lifetime = TimeSpan.FromMilliseconds(500), LongerThanLifetime = TimeSpan.FromMilliseconds(800),
        LongerThanBackOff = TimeSpan.FromMilliseconds(500), Slow = TimeSpan.FromSeconds(4);

    [Theory]
    [InlineData("run-300", HttpStatusCode.OK)]
    [InlineData("run-300-unseen", HttpStatusCode.BadGateway)]
    public async Task After_a_failure_callers_wait_shortly_for_the_next_fill_which_goes_on_and_ends_that(string job, HttpStatusCode meanwhile)
    {
        await using var world = await World.StartAsync(("Jobs:RunningLifetime", $"{Lifetime}"));
        using var seen = await world.GetAsync("run-300");
        await Task.Delay(LongerThanLifetime, World.Cancellation);
        world.Upstream.Faults.Add(new Fault { Kind = FaultKind.Status, Status = 500, Times = 1 });
        using var failed = await world.GetAsync(job);
        AssertFailed(failed, meanwhile);
        await Task.Delay(LongerThanBackOff, World.Cancellation);
        world.Upstream.Faults.Add(new Fault { Kind = FaultKind.Delay, Delay = Slow });
        var answered = world.Upstream.Ledger.Calls.Count;

        using var impatient = await world.GetAsync(job);
        AssertFailed(impatient, meanwhile);
        await Purging.WithinAsync(Slow + TimeSpan.FromSeconds(10), () => world.Upstream.Ledger.Calls.Count > answered, "the fill goes on");
        Assert.Equal(200, world.Upstream.Ledger.Calls[^1].Status);
        await Purging.WithinAsync(TimeSpan.FromSeconds(10), async () =>
        {
            using var patient = await world.GetAsync(job);
            return !JobTests.CacheStatus(patient).Contains("detail", StringComparison.Ordinal);
        }, "the job is answered afresh");
        await Task.Delay(LongerThanLifetime, World.Cancellation);
        using var waited = await world.GetAsync(job);

        Assert.Equal("Gateway; fwd=stale; fwd-status=200; stored", JobTests.CacheStatus(waited));
    }

    private static void AssertFailed(HttpResponseMessage answer, HttpStatusCode status)
    {
        Assert.Equal(status, answer.StatusCode);
        Assert.EndsWith("detail=upstream-500", JobTests.CacheStatus(answer), StringComparison.Ordinal);
    }
}

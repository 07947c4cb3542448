using System.Net;
using Gateway.Tests.Infrastructure;
using Simulator;

namespace Gateway.Tests.RequestPath;

public sealed class AfterFailureTests
{
    // Long enough that the lifetime and the back-off are certainly over on any clock.
    private static readonly TimeSpan Lifetime = TimeSpan.FromMilliseconds(500),
        LongerThanLifetime = TimeSpan.FromMilliseconds(800),
        LongerThanBackOff = TimeSpan.FromMilliseconds(500), Slow = TimeSpan.FromSeconds(4);

    [Theory]
    [InlineData("run-300", HttpStatusCode.OK)]
    [InlineData("run-300-unseen", HttpStatusCode.BadGateway)]
    public async Task Callers_after_a_failure_wait_briefly_for_the_next_fill_which_still_completes(
        string job, HttpStatusCode meanwhile)
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

        using var early = await world.GetAsync(job);
        AssertFailed(early, meanwhile);
        await Wait.UntilAsync(
            Slow + TimeSpan.FromSeconds(10), () => world.Upstream.Ledger.Calls.Count > answered, "the fill completes");
        Assert.Equal(200, world.Upstream.Ledger.Calls[^1].Status);
        await Wait.UntilAsync(TimeSpan.FromSeconds(10), async () =>
        {
            using var fresh = await world.GetAsync(job);
            return !JobTests.CacheStatus(fresh).Contains("detail", StringComparison.Ordinal);
        }, "the job is answered without the failure");
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

using Gateway.Tests.Infrastructure;
using Simulator;

namespace Gateway.Tests.Watching;

/// <summary>Watched jobs on several nodes with one Redis.</summary>
[Trait("Redis", "any")]
public sealed class SharedWatchTests(RedisServer redis)
{
    [Fact]
    public async Task Watchers_on_three_nodes_cost_the_upstream_as_much_as_one_watcher()
    {
        await using var world = await World.StartAsync(
            ("ConnectionStrings:Redis", redis.ConnectionString), ("Jobs:SettleTime", "00:00:00"));
        GatewayNode[] nodes = [world.Gateway, world.AddGateway(), world.AddGateway()];
        var job = $"run-12-{Guid.NewGuid():N}";
        var started = TimeProvider.System.GetTimestamp();

        var answers = await Task.WhenAll(Enumerable.Range(0, 30).Select(
            i => World.GetAsync(nodes[i % nodes.Length], job, headers: ("Prefer", "wait=30"))));

        // The job runs for 12 s. A snapshot is fresh for 2 s.
        Assert.InRange(world.Upstream.Ledger.CallsFor(job), 2, 8);
        Assert.InRange(TimeProvider.System.GetElapsedTime(started), TimeSpan.FromSeconds(11), TimeSpan.FromSeconds(29));
        foreach (var answer in answers)
        {
            Assert.Contains("completed", await answer.Content.ReadAsStringAsync(World.Cancellation),
                StringComparison.Ordinal);
            answer.Dispose();
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_change_that_any_other_request_has_fetched_reaches_waiting_callers_at_once(bool onOtherNode)
    {
        // The next poll for the waiting caller would come after half a minute.
        await using var world = await World.StartAsync(
            ("ConnectionStrings:Redis", redis.ConnectionString), ("Jobs:MinPollInterval", "00:00:30"),
            ("Watching:MaxPollInterval", "00:00:30"));
        var other = onOtherNode ? world.AddGateway() : world.Gateway;
        var job = $"life-{Guid.NewGuid():N}";
        world.Upstream.Lives.Set(job, LifeStage.Queued);
        using var known = await world.GetAsync(job);
        var waiting = world.GetAsync(
            job, headers: [("Prefer", "wait=60"), ("If-None-Match", known.Headers.ETag!.ToString())]);
        await Task.Delay(TimeSpan.FromSeconds(2.5), World.Cancellation);
        world.Upstream.Lives.Set(job, LifeStage.Running);
        Assert.False(waiting.IsCompleted);

        using var fetched = await World.GetAsync(other, job);

        using var answer = await waiting.WaitAsync(TimeSpan.FromSeconds(10), World.Cancellation);
        Assert.Equal(fetched.Headers.ETag, answer.Headers.ETag);
        Assert.NotEqual(known.Headers.ETag, answer.Headers.ETag);
    }
}

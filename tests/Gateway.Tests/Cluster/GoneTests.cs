using System.Net;
using Gateway.Tests.Infrastructure;
using Simulator;
using StackExchange.Redis;

namespace Gateway.Tests.Cluster;

/// <summary>A final job that the upstream no longer has (404) is removed on all nodes.</summary>
[Trait("Redis", "any")]
public sealed class GoneTests(RedisServer redis)
{
    private readonly string _job = $"finished-{Guid.NewGuid():N}";

    [Fact]
    public async Task A_node_drops_a_final_job_from_memory_when_another_node_finds_it_gone()
    {
        await using var world = await World.StartAsync(("ConnectionStrings:Redis", redis.ConnectionString));
        var other = world.AddGateway();
        Assert.Equal(HttpStatusCode.OK, await AskAsync(world.Gateway));
        // Redis evicts the job, so the other node asks the upstream.
        await using var connection = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString);
        Assert.Equal(2, await connection.GetDatabase().KeyDeleteAsync([Name(world), $"{Name(world)}:finished"]));
        world.Upstream.Lives.Set(_job, LifeStage.Gone);
        Assert.Equal(HttpStatusCode.OK, await AskAsync(world.Gateway));

        Assert.Equal(HttpStatusCode.NotFound, await AskAsync(other));

        await Wait.UntilAsync(Purging.Promised, async () =>
            await AskAsync(world.Gateway) == HttpStatusCode.NotFound, "the first node drops the job");
    }

    [Fact]
    public async Task An_expired_final_job_that_is_gone_is_removed_from_all_caches()
    {
        await using var world = await World.StopClockAsync(
            ("ConnectionStrings:Redis", redis.ConnectionString), ("Jobs:FinishedLifetime", "00:01:00"));
        GatewayNode[] nodes = [world.Gateway, world.AddGateway()];
        foreach (var node in nodes) Assert.Equal(HttpStatusCode.OK, await AskAsync(node));
        world.Upstream.Lives.Set(_job, LifeStage.Gone);
        world.Clock!.Advance(TimeSpan.FromMinutes(1));

        foreach (var node in nodes) Assert.Equal(HttpStatusCode.NotFound, await AskAsync(node));

        world.Upstream.Faults.Add(new Fault { Kind = FaultKind.Status, Status = 500 });
        world.Clock.Advance(TimeSpan.FromSeconds(5));
        // A stored snapshot would be served as stale for ten minutes.
        foreach (var node in nodes) Assert.Equal(HttpStatusCode.BadGateway, await AskAsync(node));
        await using var connection = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString);
        Assert.NotEqual("1", (string?)await connection.GetDatabase().HashGetAsync(Name(world), "finished"));
        Assert.False(await connection.GetDatabase().KeyExistsAsync(Name(world) + ":finished"));
    }

    [Fact]
    public async Task A_job_that_is_back_is_served_by_all_nodes()
    {
        await using var world = await World.StopClockAsync(("ConnectionStrings:Redis", redis.ConnectionString));
        GatewayNode[] nodes = [world.Gateway, world.AddGateway()];
        world.Upstream.Lives.Set(_job, LifeStage.Gone);
        foreach (var node in nodes) Assert.Equal(HttpStatusCode.NotFound, await AskAsync(node));
        world.Upstream.Lives.Set(_job, LifeStage.Completed);
        world.Clock!.Advance(TimeSpan.FromSeconds(1));
        foreach (var node in nodes) Assert.Equal(HttpStatusCode.OK, await AskAsync(node));
    }

    private string Name(World world) => $"gateway:{{{world.Account}/survey-1/{_job}}}";

    private async Task<HttpStatusCode> AskAsync(GatewayNode node)
    {
        using var answer = await World.GetAsync(node, _job);
        return answer.StatusCode;
    }
}

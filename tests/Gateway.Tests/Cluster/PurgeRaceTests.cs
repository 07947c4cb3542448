using Gateway.Tests.Infrastructure;
using Simulator;
using StackExchange.Redis;

namespace Gateway.Tests.Cluster;

/// <summary>A purge wins over a fetch that began earlier.</summary>
[Trait("Redis", "any")]
public sealed class PurgeRaceTests(RedisServer redis)
{
    private readonly string _account = Purging.NewAccount();
    private readonly string _job = $"finished-{Guid.NewGuid():N}";

    [Fact]
    public async Task A_fetch_running_during_a_purge_is_not_stored_in_memory()
    {
        await using var world = await World.StartAsync([.. Purging.Operator, .. Purging.Account(_account)]);
        await PurgeDuringAFetchAsync(world, world.Gateway);

        Assert.False(await Purging.IsHitAsync(world.Gateway, _job));
        Assert.True(await Purging.IsHitAsync(world.Gateway, _job));
        Assert.Equal(2, world.Upstream.Ledger.Total);
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(0, 1)]
    [InlineData(1, 0)]
    [InlineData(1, 1)]
    [InlineData(1, 2)]
    public async Task A_fetch_running_during_a_purge_is_stored_on_no_node(int purging, int asking)
    {
        await using var world = await World.StartAsync(
            [("ConnectionStrings:Redis", redis.ConnectionString), .. Purging.Operator, .. Purging.Account(_account)]);
        GatewayNode[] nodes = [world.Gateway, world.AddGateway(), world.AddGateway()];
        await PurgeDuringAFetchAsync(world, nodes[purging]);
        await using var connection = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString);
        var name = $"gateway:{{{_account}/survey-1/{_job}}}";
        Assert.False(await connection.GetDatabase().KeyExistsAsync(name), "Redis holds the purged job.");

        Assert.False(await Purging.IsHitAsync(nodes[asking], _job));

        foreach (var node in nodes) Assert.True(await Purging.IsHitAsync(node, _job));
        Assert.Equal(2, world.Upstream.Ledger.Total);
    }

    [Fact]
    public async Task A_caller_waiting_during_a_purge_is_answered_and_the_new_fetch_is_stored()
    {
        await using var world = await World.StartAsync(
            [("ConnectionStrings:Redis", redis.ConnectionString), .. Purging.Operator, .. Purging.Account(_account)]);
        var other = world.AddGateway();
        world.Upstream.Faults.Add(
            new Fault { Job = _job, Kind = FaultKind.Delay, Delay = TimeSpan.FromSeconds(1), Times = 1 });
        var first = Purging.IsHitAsync(world.Gateway, _job);
        await Wait.UntilAsync(TimeSpan.FromSeconds(10), () => world.Upstream.Ledger.Total == 1, "the fetch begins");
        var second = Purging.IsHitAsync(other, _job);
        await Purging.CountAsync(world.Gateway, _account);

        await Task.WhenAll(first, second);

        Assert.True(await Purging.IsHitAsync(world.Gateway, _job));
        Assert.True(await Purging.IsHitAsync(other, _job));
        Assert.Equal(2, world.Upstream.Ledger.Total);
    }

    // Purges while the first node fetches.
    private async Task PurgeDuringAFetchAsync(World world, GatewayNode purging)
    {
        world.Upstream.Faults.Add(
            new Fault { Job = _job, Kind = FaultKind.Delay, Delay = TimeSpan.FromSeconds(1), Times = 1 });
        var waiters = Task.WhenAll(Purging.IsHitAsync(world.Gateway, _job), Purging.IsHitAsync(world.Gateway, _job));
        await Wait.UntilAsync(TimeSpan.FromSeconds(10), () => world.Upstream.Ledger.Total == 1, "the fetch begins");
        Assert.Equal((0, 0), await Purging.CountAsync(purging, $"{_account}/survey-1/{_job}"));
        Assert.False(waiters.IsCompleted, "The fetch ended before the purge.");
        Assert.All(await waiters, Assert.False);
        Assert.Equal(1, world.Upstream.Ledger.Total);
    }
}

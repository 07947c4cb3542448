using Gateway.Tests.Infrastructure;
using Simulator;
using StackExchange.Redis;

namespace Gateway.Tests.Cluster;

/// <summary>A purge wins over a fetch that began before it.</summary>
[Trait("Redis", "any")]
public sealed class PurgeRaceTests(RedisServer redis)
{
    private readonly string _account = Purging.NewAccount();
    private readonly string _job = $"finished-{Guid.NewGuid():N}";

    [Fact]
    public async Task What_was_under_way_during_a_purge_is_not_kept_in_memory()
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
    public async Task What_was_under_way_during_a_purge_is_kept_nowhere(int purging, int asking)
    {
        await using var world = await World.StartAsync(
            [("ConnectionStrings:Redis", redis.ConnectionString), .. Purging.Operator, .. Purging.Account(_account)]);
        GatewayNode[] nodes = [world.Gateway, world.AddGateway(), world.AddGateway()];
        await PurgeDuringAFetchAsync(world, nodes[purging]);
        await using var connection = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString);
        var name = $"gateway:{{{_account}/survey-1/{_job}}}";
        Assert.False(await connection.GetDatabase().KeyExistsAsync(name), "Redis has what was purged.");

        Assert.False(await Purging.IsHitAsync(nodes[asking], _job));

        foreach (var node in nodes) Assert.True(await Purging.IsHitAsync(node, _job));
        Assert.Equal(2, world.Upstream.Ledger.Total);
    }

    [Fact]
    public async Task Who_waits_on_another_node_while_it_is_purged_is_answered_and_the_new_answer_is_kept()
    {
        await using var world = await World.StartAsync(
            [("ConnectionStrings:Redis", redis.ConnectionString), .. Purging.Operator, .. Purging.Account(_account)]);
        var other = world.AddGateway();
        world.Upstream.Faults.Add(new Fault { Job = _job, Kind = FaultKind.Delay, Delay = TimeSpan.FromSeconds(1), Times = 1 });
        var first = Purging.IsHitAsync(world.Gateway, _job);
        await Purging.WithinAsync(TimeSpan.FromSeconds(10), () => world.Upstream.Ledger.Total == 1, "the fetch begins");
        var second = Purging.IsHitAsync(other, _job);
        await Purging.CountAsync(world.Gateway, _account);

        await Task.WhenAll(first, second);

        Assert.True(await Purging.IsHitAsync(world.Gateway, _job));
        Assert.True(await Purging.IsHitAsync(other, _job));
        Assert.Equal(2, world.Upstream.Ledger.Total);
    }

    // The first node fetches meanwhile.
    private async Task PurgeDuringAFetchAsync(World world, GatewayNode purging)
    {
        world.Upstream.Faults.Add(new Fault { Job = _job, Kind = FaultKind.Delay, Delay = TimeSpan.FromSeconds(1), Times = 1 });
        var waiters = Task.WhenAll(Purging.IsHitAsync(world.Gateway, _job), Purging.IsHitAsync(world.Gateway, _job));
        await Purging.WithinAsync(TimeSpan.FromSeconds(10), () => world.Upstream.Ledger.Total == 1, "the fetch begins");
        Assert.Equal((0, 0), await Purging.CountAsync(purging, $"{_account}/survey-1/{_job}"));
        Assert.False(waiters.IsCompleted, "The purge came too late to race.");
        Assert.All(await waiters, Assert.False);
        Assert.Equal(1, world.Upstream.Ledger.Total);
    }
}

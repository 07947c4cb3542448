using System.Net;
using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.Cluster;

/// <summary>The quota of a team when its Redis goes down and comes back.</summary>
public sealed class QuotaOutageTests
{
    private const int Burst = 40;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Permits_taken_during_an_outage_count_on_all_nodes_a_second_after_it(bool keepsItsData)
    {
        await using var redis = new OwnRedis();
        await redis.StartAsync(persistent: true);
        // The refill is one permit per ten seconds, so that mainly the burst counts.
        await using var world = await World.WithoutGatewayAsync(
            clock: null, [.. World.DefaultAccount, ("ConnectionStrings:Redis", redis.ConnectionString),
            ("Redis:Timeout", "00:00:00.5"), ("Teams:mapping:Quota", "scarce"), ("Quotas:scarce:Requests", "6"),
            ("Quotas:scarce:Burst", $"{Burst}")]);
        GatewayNode[] nodes = [world.AddGateway(), world.AddGateway()];
        // The nodes know each other, and have the job.
        await Task.Delay(TimeSpan.FromSeconds(1.5), World.Cancellation);
        foreach (var node in nodes) Assert.Equal(HttpStatusCode.OK, await AskAsync(node));
        await redis.KillAsync();
        var alone = await SpendAsync(nodes[0]);
        Assert.InRange(alone, Burst / 2 - 4, Burst / 2);

        await redis.StartAsync(persistent: true);
        if (!keepsItsData) await redis.CommandAsync("FLUSHALL");
        // The nodes find Redis within the first second.
        await Task.Delay(TimeSpan.FromSeconds(1.5), World.Cancellation);
        var after = await SpendAsync(nodes[1]);

        // A Redis that lost its data knows the reported permits, but neither the two before nor the lease of either
        // node. One or two permits have been refilled.
        Assert.InRange(2 + alone + after, Burst - 2, Burst + (keepsItsData ? 2 : 6));
    }

    private static async Task<int> SpendAsync(GatewayNode node)
    {
        var spent = 0;
        while (await AskAsync(node) == HttpStatusCode.OK) spent++;
        return spent;
    }

    private static async Task<HttpStatusCode> AskAsync(GatewayNode node)
    {
        using var answer = await World.GetAsync(node, "finished-1");
        return answer.StatusCode;
    }
}

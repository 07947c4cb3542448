using System.Diagnostics;
using System.Net;
using Gateway.Redis;
using Gateway.Tests.Infrastructure;
using Microsoft.Extensions.DependencyInjection;

namespace Gateway.Tests.Redis;

/// <summary>Nodes that start while Redis takes no writes: it is full, or a read-only replica.</summary>
[Collection(nameof(Alone))]
public sealed class WriteRefusalTests
{
    private const int Nodes = 3, PerSecond = 20, Burst = 30;

    private static readonly TimeSpan Asking = TimeSpan.FromSeconds(6);

    [Theory]
    [InlineData("OOM")]
    [InlineData("READONLY")]
    public async Task Nodes_that_start_without_writes_share_the_budget_and_the_quota_and_say_so(string code)
    {
        await using var redis = new OwnRedis();
        await redis.StartAsync();
        if (code == "OOM") await redis.CommandAsync("CONFIG", "SET", "maxmemory", "1");
        else await redis.CommandAsync("REPLICAOF", "127.0.0.1", ChildProcess.FreePort());
        await using var world = await World.WithoutGatewayAsync(clock: null, [.. World.DefaultAccount,
            ("ConnectionStrings:Redis", redis.ConnectionString), ("Redis:Timeout", "00:00:00.5"),
            ("Upstream:Accounts:default:RequestsPerSecond", $"{PerSecond}"),
            ("Upstream:Accounts:default:Burst", $"{Burst}")]);
        GatewayNode[] nodes = [.. Enumerable.Range(0, Nodes).Select(_ => world.AddGateway())];

        foreach (var node in nodes)
        {
            var health = await HealthAsync(node);
            Assert.StartsWith("Degraded\n", health, StringComparison.Ordinal);
            Assert.Contains($"Redis takes no writes ({code})", health, StringComparison.Ordinal);
        }
        var watch = Stopwatch.StartNew();
        await Task.WhenAll(nodes.SelectMany(node => Enumerable.Range(0, 20).Select(_ => AskAsync(node, watch))));
        var calls = world.Upstream.Ledger.Total;
        Assert.InRange(calls, PerSecond * Asking.TotalSeconds * 0.5, Burst + PerSecond * watch.Elapsed.TotalSeconds);

        if (code == "OOM") await redis.CommandAsync("CONFIG", "SET", "maxmemory", "0");
        else await redis.CommandAsync("REPLICAOF", "NO", "ONE");
        foreach (var node in nodes)
        {
            await Wait.UntilAsync(TimeSpan.FromSeconds(5) + Promptness.Grace,
                async () => await HealthAsync(node) == "Healthy", "the node is healthy again");
        }
    }

    [Fact]
    public async Task A_node_that_starts_without_writes_uses_the_number_of_nodes_that_Redis_knows()
    {
        await using var redis = new OwnRedis();
        await redis.StartAsync();
        await using var world = await World.WithoutGatewayAsync(clock: null, [.. World.DefaultAccount,
            ("ConnectionStrings:Redis", redis.ConnectionString), ("Redis:AssumedNodes", "50")]);
        for (var i = 0; i < 2; i++) world.AddGateway();
        await Wait.UntilAsync(TimeSpan.FromSeconds(5) + Promptness.Grace,
            async () => await redis.CommandAsync("ZCARD", "gateway:nodes") is { } count && (int)count == 2,
            "both nodes are counted");

        await redis.CommandAsync("CONFIG", "SET", "maxmemory", "1");

        var count = world.AddGateway().Services.GetRequiredService<NodeCount>();
        await Wait.UntilAsync(TimeSpan.FromSeconds(5) + Promptness.Grace, () => count.Value == 2, "it reads 2");
    }

    private static async Task AskAsync(GatewayNode node, Stopwatch watch)
    {
        while (watch.Elapsed < Asking)
        {
            using var answer = await World.GetAsync(node, $"finished-{Guid.NewGuid():N}");
            if (answer.StatusCode != HttpStatusCode.OK) await Task.Delay(100, World.Cancellation);
        }
    }

    private static async Task<string> HealthAsync(GatewayNode node)
    {
        using var client = node.Client();
        return await client.GetStringAsync(new Uri("health/ready", UriKind.Relative), World.Cancellation);
    }
}

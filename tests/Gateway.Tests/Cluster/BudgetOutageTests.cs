using System.Diagnostics;
using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.Cluster;

/// <summary>The budget of an account when its Redis goes down and comes back empty.</summary>
[Collection(nameof(Alone))]
public sealed class BudgetOutageTests
{
    private const int PerSecond = 20, Burst = 12, AtOnce = 60;

    // The largest difference in delay between two calls on their way to the upstream.
    private const double Jitter = 0.3;

    private static readonly TimeSpan Phase = TimeSpan.FromSeconds(4);

    [Fact]
    public async Task Nodes_stay_within_the_budget_before_during_and_after_a_Redis_outage()
    {
        await using var redis = new OwnRedis();
        await redis.StartAsync();
        await using var world = await World.WithoutGatewayAsync(clock: null, [.. World.DefaultAccount,
            ("ConnectionStrings:Redis", redis.ConnectionString), ("Redis:Timeout", "00:00:00.5"),
            ("Upstream:Accounts:default:RequestsPerSecond", $"{PerSecond}"),
            ("Upstream:Accounts:default:Burst", $"{Burst}"),
            ("Logging:LogLevel:Default", "Warning"), ("Logging:LogLevel:Gateway", "Warning"),
            ("Logging:LogLevel:Polly", "None")]);
        GatewayNode[] nodes = [world.AddGateway(), world.AddGateway(), world.AddGateway()];
        // Each node has made its slow first call, and knows the other nodes.
        foreach (var node in nodes) (await World.GetAsync(node, $"finished-{Guid.NewGuid():N}")).Dispose();
        await Task.Delay(TimeSpan.FromSeconds(2), World.Cancellation);
        world.Upstream.Ledger.Clear();
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(World.Cancellation);
        var asking = Enumerable.Range(0, AtOnce).Select(i => AskAsync(nodes[i % nodes.Length], enough.Token)).ToArray();
        var watch = Stopwatch.StartNew();

        var together = await CountAsync(world);
        await redis.KillAsync();
        var alone = await CountAsync(world);
        await redis.StartAsync();
        var again = await CountAsync(world);

        await enough.CancelAsync();
        await Task.WhenAll(asking);
        var excess = Budget.Excess(world, PerSecond, Burst);
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{together}, {alone} and {again} calls, {excess:0.0} ahead at most");
        Assert.InRange(excess, double.MinValue, PerSecond * Jitter);
        // No phase stands still, except while the nodes detect the outage.
        Assert.All((int[])[together, alone, again], calls =>
            Assert.InRange(calls, PerSecond * Phase.TotalSeconds * 0.5, double.MaxValue));
    }

    private static async Task<int> CountAsync(World world)
    {
        var before = world.Upstream.Ledger.Total;
        await Task.Delay(Phase, World.Cancellation);
        return world.Upstream.Ledger.Total - before;
    }

    private static async Task AskAsync(GatewayNode node, CancellationToken enough)
    {
        using var client = node.Client(("X-Api-Key", World.MappingKey));
        while (!enough.IsCancellationRequested)
        {
            using var answer = await client.GetAsync(
                new Uri($"v0/workflows/survey-1/jobs/finished-{Guid.NewGuid():N}", UriKind.Relative),
                World.Cancellation);
            if (!answer.IsSuccessStatusCode) await Task.Delay(100, World.Cancellation);
        }
    }
}

using System.Diagnostics;
using System.Net;
using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.Cluster;

[Trait("Redis", "one")]
public sealed class PollingTests(RedisServer redis)
{
    private const int Nodes = 3, Polls = 10_000;
    private static readonly TimeSpan Time = TimeSpan.FromSeconds(20), RunningLifetime = TimeSpan.FromSeconds(2);

    [Fact]
    public async Task Ten_thousand_polls_in_twenty_seconds_cost_at_most_eleven_calls()
    {
        await using var world = await World.WithoutGatewayAsync(clock: null, GatewayProcesses.Settings(redis));
        await using var gateways = await GatewayProcesses.StartAsync(world, Nodes);
        var job = $"run-300-{Guid.NewGuid():N}";
        var polls = new Task<GatewayProcesses.Answer>[Polls];
        var watch = Stopwatch.StartNew();

        for (var i = 0; i < Polls; i++)
        {
            var due = Time * i / Polls - watch.Elapsed;
            if (due > TimeSpan.Zero) await Task.Delay(due, World.Cancellation);
            polls[i] = gateways.GetAsync(i % Nodes, job);
        }
        var answers = await Task.WhenAll(polls);

        Assert.All(answers, answer => Assert.True(answer.Status == HttpStatusCode.OK, $"{answer}"));
        // One call at the start, and one each time two seconds are over. Calls take time as well, and a busy machine
        // needs longer for all polls.
        Assert.InRange(world.Upstream.Ledger.Total, 5, 1 + (int)(watch.Elapsed / RunningLifetime));
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{world.Upstream.Ledger.Total} calls, {watch.Elapsed} for all polls");
    }
}

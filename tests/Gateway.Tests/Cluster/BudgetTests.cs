using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.RequestPath;
using Gateway.Upstream;
using Microsoft.Extensions.DependencyInjection;
using Simulator;

namespace Gateway.Tests.Cluster;

/// <summary>The calls of all nodes together to the upstream with one account.</summary>
[Trait("Redis", "any")]
public sealed class BudgetTests(RedisServer redis)
{
    private const string Account = "Upstream:Accounts:default:";

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Concurrent_calls_stay_within_the_limit(bool withRedis)
    {
        const int Most = 4, Jobs = 48;
        var delay = TimeSpan.FromSeconds(0.3);
        await using var world = await StartAsync(withRedis, (Account + "MaxConcurrentRequests", $"{Most}"),
            (Account + "QueueTimeout", "00:00:30"), ("Upstream:Timeout", "00:01:00"));
        world.Upstream.Faults.Add(new Fault { Kind = FaultKind.Delay, Delay = delay });
        var nodes = Nodes(world, withRedis);
        var watch = Stopwatch.StartNew();

        var answers = await Task.WhenAll(Enumerable.Range(0, Jobs).Select(i => AskAsync(nodes[i % nodes.Length])));

        Assert.All(answers, answer => Assert.Equal(HttpStatusCode.OK, answer.StatusCode));
        var calls = world.Upstream.Ledger.Calls.Select(call => call.At).Order().ToArray();
        // A call starts only after an earlier one was answered, which takes this delay.
        for (var i = Most; i < calls.Length; i++)
            Assert.InRange(calls[i] - calls[i - Most], delay * 0.9, TimeSpan.MaxValue);
        // The places are used without gaps.
        Assert.InRange(watch.Elapsed, delay * (Jobs / Most), 2 * delay * (Jobs / Most) + Promptness.Grace);
    }

    [Fact]
    public async Task A_job_that_is_not_cached_is_503_with_Retry_After_beyond_the_budget()
    {
        await using var world = await StartAsync(withRedis: false, (Account + "RequestsPerSecond", "0.1"),
            (Account + "Burst", "1"), (Account + "QueueTimeout", "00:00:00.2"));
        using var first = await AskAsync(world.Gateway);

        using var second = await AskAsync(world.Gateway);

        Assert.Equal([HttpStatusCode.OK, HttpStatusCode.ServiceUnavailable], [first.StatusCode, second.StatusCode]);
        Assert.Equal("/problems/upstream-budget-exhausted",
            (await second.Content.ReadFromJsonAsync<JsonElement>(World.Cancellation)).GetProperty("type").GetString());
        Assert.Equal("Gateway; fwd=uri-miss; detail=over-budget", JobTests.CacheStatus(second));
        Assert.InRange(second.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 9, 11);
        Assert.Equal(1, world.Upstream.Ledger.Total);
    }

    [Fact]
    public async Task A_request_waits_for_the_budget_for_at_most_half_of_the_timeout()
    {
        await using var world = await World.StartAsync(
            (Account + "RequestsPerSecond", "0.01"), (Account + "Burst", "1"), (Account + "QueueTimeout", "00:01:00"),
            ("Upstream:Timeout", "00:00:06"));
        using var first = await world.GetAsync("finished-1");
        var asked = Stopwatch.GetTimestamp();

        using var second = await world.GetAsync("finished-2");

        Assert.Contains("detail=over-budget", JobTests.CacheStatus(second), StringComparison.Ordinal);
        Assert.InRange(Stopwatch.GetElapsedTime(asked).TotalSeconds, 2.9, 5.5);
    }

    [Fact]
    public async Task A_cached_job_is_served_as_stale_beyond_the_budget()
    {
        await using var world = await StartAsync(withRedis: false, ("Jobs:RunningLifetime", "00:00:00.2"),
            (Account + "RequestsPerSecond", "0.1"), (Account + "Burst", "1"), (Account + "QueueTimeout", "00:00:00.2"));
        using var fresh = await world.GetAsync("run-300");
        await Task.Delay(300, World.Cancellation);

        using var stale = await world.GetAsync("run-300");

        Assert.Equal(HttpStatusCode.OK, stale.StatusCode);
        Assert.Matches("^Gateway; hit; ttl=-[0-9]+; detail=over-budget$", JobTests.CacheStatus(stale));
        Assert.Equal(1, world.Upstream.Ledger.Total);
    }

    [Fact]
    public async Task First_reads_precede_refreshes_except_for_every_fifth_call()
    {
        // Calls that a busy machine delayed are sent together in any order, so such a run is repeated.
        var (order, isSteady) = ("", false);
        for (var tries = 0; tries < 4 && !isSteady; tries++) (order, isSteady) = await OrderOfReadsAndRefreshesAsync();

        // While a read waits, there are never two refreshes in a row; while a refresh waits, never five reads.
        Assert.InRange(order.Count(rank => rank == 'f'), 8, 12);
        Assert.DoesNotMatch("rr.*f", order);
        Assert.DoesNotMatch("fffff", order);
    }

    private async Task<(string Order, bool IsSteady)> OrderOfReadsAndRefreshesAsync()
    {
        await using var world = await StartAsync(withRedis: false, ("Jobs:RunningLifetime", "00:00:00.1"),
            (Account + "RequestsPerSecond", "5"), (Account + "Burst", "10"), (Account + "QueueTimeout", "00:00:20"),
            ("Upstream:Timeout", "00:01:00"));
        for (var i = 0; i < 10; i++) (await world.GetAsync($"run-300-{i}")).Dispose();
        await Task.Delay(150, World.Cancellation);
        var gate = world.Gateway.Services.GetRequiredService<AccountGates>().Of("default");
        // Permits that were refilled meanwhile go to the first of these.
        var refreshes = Enumerable.Range(0, 10).Select(i => world.GetAsync($"run-300-{i}")).ToArray();
        await Wait.UntilAsync(TimeSpan.FromSeconds(10), () => world.Upstream.Ledger.Total + gate.Waiting == 20,
            "all refreshes have gone out or wait");
        var reads = Enumerable.Range(0, 12).Select(i => world.GetAsync($"finished-{i}")).ToArray();
        await Wait.UntilAsync(
            TimeSpan.FromSeconds(10), () => world.Upstream.Ledger.Total + gate.Waiting == 32, "all reads wait");
        var before = world.Upstream.Ledger.Calls.Count;
        await Task.WhenAll(refreshes);
        await Task.WhenAll(reads);

        var calls = world.Upstream.Ledger.Calls.Skip(before).ToArray();
        return (string.Concat(calls.Select(call => call.JobId[0])),
            calls.Zip(calls.Skip(1), (one, next) => next.At - one.At).All(gap => gap > TimeSpan.FromMilliseconds(100)));
    }

    [Fact]
    public async Task A_team_with_one_request_does_not_wait_behind_a_team_with_many()
    {
        await using var world = await StartAsync(withRedis: false,
            (Account + "RequestsPerSecond", "10"), (Account + "Burst", "50"), (Account + "QueueTimeout", "00:00:05"),
            ("Upstream:Timeout", "00:00:10"));
        for (var i = 0; i < 50; i++) (await AskAsync(world.Gateway)).Dispose();
        var many = Enumerable.Range(0, 40).Select(i => world.GetAsync($"finished-{i}")).ToArray();
        await Task.Delay(100, World.Cancellation);
        var watch = Stopwatch.StartNew();

        using var own = await world.GetAsync("finished-own", key: World.SurveyKey);
        var ownTook = watch.Elapsed;
        using var common = await world.GetAsync("finished-39", key: World.SurveyKey);

        Assert.Equal([HttpStatusCode.OK, HttpStatusCode.OK], [own.StatusCode, common.StatusCode]);
        Assert.InRange(ownTook, TimeSpan.Zero, TimeSpan.FromSeconds(2.5));
        Assert.InRange(watch.Elapsed - ownTook, TimeSpan.Zero, TimeSpan.FromSeconds(2.5));
        await Task.WhenAll(many);
    }

    [Fact]
    public async Task An_open_circuit_is_shared_by_all_nodes_and_probed_by_one_call_at_a_time()
    {
        await using var world = await StartAsync(withRedis: true);
        var nodes = Nodes(world, withRedis: true);
        world.Upstream.Faults.Add(new Fault { Kind = FaultKind.Status, Status = 500 });
        for (var i = 0; i < 10; i++) (await AskAsync(nodes[0])).Dispose();
        world.Upstream.Ledger.Clear();
        var watch = Stopwatch.StartNew();

        while (watch.Elapsed < TimeSpan.FromSeconds(2))
        {
            using var answer = await AskAsync(nodes[Random.Shared.Next(nodes.Length)]);
            Assert.Matches("detail=(circuit-open|upstream-500)$", JobTests.CacheStatus(answer));
        }

        Assert.InRange(world.Upstream.Ledger.Total, 1, 5);
        world.Upstream.Faults.Clear();
        foreach (var node in nodes)
        {
            await Wait.UntilAsync(TimeSpan.FromSeconds(10), async () =>
                (await AskAsync(node)).StatusCode == HttpStatusCode.OK, "the circuit is closed again");
        }
    }

    private Task<World> StartAsync(bool withRedis, params (string, string?)[] settings) =>
        World.StartAsync([("ConnectionStrings:Redis", withRedis ? redis.ConnectionString : ""), .. settings]);

    private static GatewayNode[] Nodes(World world, bool withRedis) =>
        withRedis ? [world.Gateway, world.AddGateway(), world.AddGateway()] : [world.Gateway];

    private static Task<HttpResponseMessage> AskAsync(GatewayNode node) =>
        World.GetAsync(node, $"finished-{Guid.NewGuid():N}");
}

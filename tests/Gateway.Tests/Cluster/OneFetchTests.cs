using System.Net;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.RequestPath;
using Simulator;

namespace Gateway.Tests.Cluster;

/// <summary>
/// Tests that a cluster fetches a job once. The nodes are cold and get thousands of requests at once. Beside other
/// tests, a node could stand still for so long that its fetch lock expires, and another node then fetches, too.
/// </summary>
[Collection(nameof(Alone))]
[Trait("Redis", "any")]
public sealed class OneFetchTests(RedisServer redis)
{
    private const int Nodes = 3, FirstRequests = 3_000, Jobs = 200, RequestsEach = 50, InFlight = 200;

    [Fact]
    public async Task A_finished_job_is_fetched_once_by_the_cluster()
    {
        await using var world = await World.WithoutGatewayAsync(clock: null, GatewayProcesses.Settings(redis));
        var jobs = Enumerable.Range(0, Jobs + 1).Select(_ => $"finished-{Guid.NewGuid():N}").ToArray();
        var bodies = new Dictionary<string, byte[]>();
        foreach (var job in jobs) bodies[job] = await world.UpstreamBytesAsync(job);
        world.Upstream.Ledger.Clear();
        await using (var gateways = await GatewayProcesses.StartAsync(world, Nodes))
        {
            AssertBodies(await Task.WhenAll(
                Enumerable.Range(0, FirstRequests).Select(i => gateways.GetAsync(i % Nodes, jobs[0]))), bodies);
            Assert.Equal(1, world.Upstream.Ledger.Total);

            // Requests for the same job follow each other, so that they overlap.
            await AskAsync(gateways, Jobs * RequestsEach, i => jobs[1 + i / RequestsEach], bodies);
            Assert.Equal(1 + Jobs, world.Upstream.Ledger.Total);
            Assert.All(jobs, job => Assert.Equal(1, world.Upstream.Ledger.CallsFor(job)));
        }

        await using var restarted = await GatewayProcesses.StartAsync(world, Nodes);
        await AskAsync(restarted, jobs.Length * Nodes, i => jobs[i / Nodes], bodies);
        Assert.Equal(1 + Jobs, world.Upstream.Ledger.Total);
    }

    [Fact]
    public async Task A_refresh_that_nodes_share_has_the_same_cache_status_on_both()
    {
        await using var world = await World.StartAsync(
            ("ConnectionStrings:Redis", redis.ConnectionString), ("Jobs:RunningLifetime", "00:00:01"));
        GatewayNode[] nodes = [world.Gateway, world.AddGateway()];
        foreach (var node in nodes) (await World.GetAsync(node, "run-300")).Dispose();
        await Task.Delay(TimeSpan.FromSeconds(1.5), World.Cancellation);
        world.Upstream.Faults.Add(new Fault { Kind = FaultKind.Delay, Delay = TimeSpan.FromSeconds(1) });

        var answers = await Task.WhenAll(nodes.Select(node => World.GetAsync(node, "run-300")));

        Assert.Equal(
            ["Gateway; fwd=stale; fwd-status=200; stored", "Gateway; fwd=stale; fwd-status=200; stored; collapsed"],
            answers.Select(answer => JobTests.CacheStatus(answer)).Order(StringComparer.Ordinal));
        foreach (var answer in answers) answer.Dispose();
    }

    private static Task AskAsync(
        GatewayProcesses gateways, int requests, Func<int, string> job, Dictionary<string, byte[]> bodies) =>
        Parallel.ForAsync(0, requests, new ParallelOptions { MaxDegreeOfParallelism = InFlight }, async (i, _) =>
            AssertBodies([await gateways.GetAsync(i % Nodes, job(i))], bodies));

    private static void AssertBodies(GatewayProcesses.Answer[] answers, Dictionary<string, byte[]> bodies)
    {
        foreach (var answer in answers)
        {
            Assert.True(answer.Status == HttpStatusCode.OK, $"{answer}");
            Assert.True(answer.Body.AsSpan().SequenceEqual(bodies[answer.Job]), $"Another body: {answer}");
        }
    }
}

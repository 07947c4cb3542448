using System.Diagnostics;
using System.Net;
using Gateway.Caching;
using Gateway.Tests.Infrastructure;
using Simulator;

namespace Gateway.Tests.Cluster;

[Trait("Redis", "any")]
public sealed class LostNodeTests(RedisServer redis)
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(30);

    private const int Nodes = 3, Filling = 0;

    private readonly string _job = $"finished-{Guid.NewGuid():N}";

    [Fact]
    public async Task Nodes_answer_within_a_lease_and_a_second_after_the_fetching_node_died()
    {
        await using var world = await World.WithoutGatewayAsync(
            clock: null, GatewayProcesses.Settings(redis, ("Upstream:Timeout", "00:01:00")));
        await using var gateways = await GatewayProcesses.StartAsync(world, Nodes);
        await gateways.WarmUpAsync();
        world.Upstream.Ledger.Clear();
        world.Upstream.Faults.Add(
            new Fault { Job = _job, Kind = FaultKind.Delay, Delay = TimeSpan.FromMinutes(1), Times = 1 });
        var lost = gateways.GetAsync(Filling, _job);
        await Wait.UntilAsync(Bound, () => world.Upstream.Ledger.Total == 1, "the upstream is called");
        var waiting = Enumerable.Range(0, 40).Select(i => gateways.GetAsync(1 + i % (Nodes - 1), _job)).ToArray();
        // The lock is renewed meanwhile.
        await Task.Delay(2500, World.Cancellation);
        gateways.Signal(Filling, "KILL");
        var watch = Stopwatch.StartNew();

        var answers = await Task.WhenAll(waiting);

        var took = watch.Elapsed;
        Assert.All(answers, answer => Assert.True(answer.Status == HttpStatusCode.OK, $"{answer}"));
        Assert.InRange(took, TimeSpan.Zero, HeldLocks.Lease + TimeSpan.FromSeconds(1) + Promptness.Grace);
        Assert.Equal(2, world.Upstream.Ledger.Total);
        await Assert.ThrowsAsync<HttpRequestException>(() => lost);
        TestContext.Current.TestOutputHelper?.WriteLine($"All answered after {took}");
    }

    [Fact]
    public async Task A_fetch_that_lasts_longer_than_a_lease_is_not_made_twice()
    {
        await using var world = await World.WithoutGatewayAsync(clock: null, GatewayProcesses.Settings(redis));
        await using var gateways = await GatewayProcesses.StartAsync(world, 2);
        await gateways.WarmUpAsync();
        world.Upstream.Ledger.Clear();
        world.Upstream.Faults.Add(
            new Fault { Job = _job, Kind = FaultKind.Delay, Delay = HeldLocks.Lease + TimeSpan.FromSeconds(3) });

        var answers = await Task.WhenAll(Enumerable.Range(0, 10).Select(i => gateways.GetAsync(i % 2, _job)));

        Assert.All(answers, answer => Assert.True(answer.Status == HttpStatusCode.OK, $"{answer}"));
        Assert.Equal(1, world.Upstream.Ledger.Total);
    }

    // Rows: a few large jobs, so many jobs that the pause of the node opens its circuit, and a fetch that may last on
    // after other nodes have taken over.
    [Theory]
    [InlineData(15, 1_000_000, 300, 150, 3, "00:00:03")]
    [InlineData(100, 200_000, 1000, 10, 20, "00:00:03")]
    [InlineData(15, 1_000_000, 300, 150, 3, "00:01:00")]
    public async Task A_node_stopped_during_a_fetch_does_not_replace_a_finished_job(
        int count, int size, int delay, int step, int answered, string timeout)
    {
        await using var world = await World.WithoutGatewayAsync(
            clock: null, GatewayProcesses.Settings(redis, ("Upstream:Timeout", timeout)));
        await using var gateways = await GatewayProcesses.StartAsync(world, Nodes);
        await gateways.WarmUpAsync();
        world.Upstream.Ledger.Clear();
        var jobs = Enumerable.Range(0, count).Select(i => $"{_job}-{i}").ToArray();
        foreach (var (i, job) in jobs.Index())
            world.Upstream.Faults.Add(LateAndRunning(job, size, TimeSpan.FromMilliseconds(delay + step * i)));
        var late = jobs.Select(job => gateways.GetAsync(Filling, job)).ToArray();
        // The answers arrive in quick succession and take a while to process, so the node is stopped at every step:
        // before an answer arrives, while it is read, before it is stored, and after.
        await Wait.UntilAsync(
            Bound, () => late.Count(answer => answer.IsCompleted) >= answered, "others are answered");
        gateways.Signal(Filling, "STOP");
        // Answers that the node had sent by then are complete.
        await Task.Delay(500, World.Cancellation);
        var undecided = late.Where(answer => !answer.IsCompleted).ToArray();
        // The other node gets a stored answer at once. Otherwise it waits until the lock of the stopped node expires,
        // and fetches.
        var others = await Task.WhenAll(jobs.Select(job => gateways.GetAsync(1, job)));
        var stored = others.Where(IsRunning).Select(answer => answer.Job).ToHashSet();
        foreach (var job in jobs)
        {
            while (IsRunning(await gateways.GetAsync(1, job))) await Task.Delay(100, World.Cancellation);
        }
        Assert.Equal(2 * jobs.Length, world.Upstream.Ledger.Total);
        await Task.Delay(500, World.Cancellation);

        gateways.Signal(Filling, "CONT");

        var watch = Stopwatch.StartNew();
        while (watch.Elapsed < TimeSpan.FromSeconds(3))
        {
            for (var node = 0; node < Nodes; node++)
            {
                Assert.DoesNotContain(await Task.WhenAll(jobs.Select(job => gateways.GetAsync(node, job))), IsRunning);
            }
            await Task.Delay(50, World.Cancellation);
        }
        // A stored answer was correct, and may already have been on its way to the caller.
        var answers = await Task.WhenAll(undecided);
        Assert.DoesNotContain(answers.Where(answer => !stored.Contains(answer.Job)), IsRunning);
        Assert.Contains(answers, answer => !stored.Contains(answer.Job));
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"Stopped with {undecided.Length} of {jobs.Length} answers missing, {stored.Count} stored; said late: "
            + $"{answers.Count(IsRunning)}");
    }

    private static Fault LateAndRunning(string job, int size, TimeSpan delay) => new()
    {
        Job = job,
        Kind = FaultKind.Status,
        Status = 200,
        Body =
            $$"""{"id":"{{job}}","workflow_id":"survey-1","status":"running","padding":"{{new string('x', size)}}"}""",
        Delay = delay,
        Times = 1,
    };

    private static bool IsRunning(GatewayProcesses.Answer answer)
    {
        Assert.True(answer.Status == HttpStatusCode.OK, $"{answer}");
        return answer.Body.AsSpan().IndexOf("\"padding\""u8) >= 0;
    }
}

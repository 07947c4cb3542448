using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using Gateway.Tests.Infrastructure;
using Simulator;

namespace Gateway.Tests.Cluster;

[Trait("Redis", "one")]
public sealed class OutageTests(RedisServer redis)
{
    private const int Nodes = 3, Jobs = 20, TriesOfAFill = 3, BreakerThroughput = 20;

    private static readonly TimeSpan Hanging = TimeSpan.FromSeconds(12), RunningLifetime = TimeSpan.FromSeconds(2),
        BackOff = RunningLifetime / 2, Break = TimeSpan.FromMilliseconds(500), Timeout = TimeSpan.FromSeconds(3);

    // The time that a busy machine may add to an answer.
    private static readonly TimeSpan Slack = TimeSpan.FromSeconds(1);

    private readonly string[] _known = [.. Enumerable.Range(0, Jobs).Select(_ => $"run-300-{Guid.NewGuid():N}")];
    private readonly string[] _unknown = [.. Enumerable.Range(0, Jobs).Select(_ => $"run-300-{Guid.NewGuid():N}")];

    [Fact]
    public async Task Cached_jobs_are_stale_and_others_fail_at_once_while_the_upstream_is_down()
    {
        var port = ChildProcess.FreePort();
        var upstream = await StartUpstreamAsync(port);
        await using var world = await World.WithoutGatewayAsync(clock: null, GatewayProcesses.Settings(
            redis, ("Upstream:BaseAddress", upstream.Address.ToString()), ("Upstream:Timeout", $"{Timeout}")));
        await using var gateways = await GatewayProcesses.StartAsync(world, Nodes);
        await gateways.WarmUpAsync();
        Assert.All(await AskAsync(gateways, _known), answer =>
            Assert.True(answer.Status == HttpStatusCode.OK, $"{answer}"));
        await upstream.DisposeAsync();
        // The last snapshots are fresh until then.
        await Task.Delay(RunningLifetime, World.Cancellation);
        var before = (Tries: await TriesAsync(gateways), Fills: await FillsAsync(gateways));

        var answers = await PollAsync(gateways, Cases.Long);

        AssertAnswers(answers, RetryTime + Slack);
        await AssertCallsAreBoundedAsync(gateways, before, Cases.Long);
        await using var recovered = await StartUpstreamAsync(port);
        await AssertRecoveryAsync(gateways, RunningLifetime);
    }

    [Fact]
    public async Task Only_the_first_callers_wait_for_the_timeout_while_the_upstream_hangs()
    {
        await using var world = await World.WithoutGatewayAsync(
            clock: null, GatewayProcesses.Settings(redis, ("Upstream:Timeout", $"{Timeout}")));
        await using var gateways = await GatewayProcesses.StartAsync(world, Nodes);
        await gateways.WarmUpAsync();
        Assert.All(await AskAsync(gateways, _known), answer =>
            Assert.True(answer.Status == HttpStatusCode.OK, $"{answer}"));
        await Task.Delay(RunningLifetime, World.Cancellation);
        world.Upstream.Faults.Add(new Fault { Kind = FaultKind.Hang });
        var before = (Tries: await TriesAsync(gateways), Fills: await FillsAsync(gateways));
        // Each node learns of each job's failure in this phase.
        AssertAnswers(await PollAsync(gateways, Timeout + BackOff), 2 * Timeout + Slack);

        var answers = await PollAsync(gateways, Hanging - Timeout - BackOff);

        AssertAnswers(answers, TimeSpan.FromMilliseconds(500) + Slack);
        await AssertCallsAreBoundedAsync(gateways, before, Hanging);
        world.Upstream.Faults.Clear();
        // Running calls hang until their timeout.
        await AssertRecoveryAsync(gateways, Timeout + RunningLifetime);
    }

    // Two pauses between three tries, with jitter.
    private static TimeSpan RetryTime => TimeSpan.FromSeconds(1);

    private static Task<SimulatedUpstream> StartUpstreamAsync(int port) =>
        SimulatedUpstream.StartAsync(port, credentials: [Canary.Credential], cancellation: World.Cancellation);

    private static Task<int> TriesAsync(GatewayProcesses gateways) => gateways.SumAsync("gateway_upstream_calls_total");

    private static Task<int> FillsAsync(GatewayProcesses gateways) =>
        gateways.SumAsync("gateway_fill_duration_seconds_count");

    private static Task<GatewayProcesses.Answer[]> AskAsync(GatewayProcesses gateways, string[] jobs) =>
        Task.WhenAll(Enumerable.Range(0, Nodes).SelectMany(node => jobs.Select(job => gateways.GetAsync(node, job))));

    /// <summary>Several pollers on each gateway request all jobs repeatedly.</summary>
    private async Task<List<GatewayProcesses.Answer>> PollAsync(GatewayProcesses gateways, TimeSpan time)
    {
        var answers = new ConcurrentQueue<GatewayProcesses.Answer>();
        var watch = Stopwatch.StartNew();
        await Task.WhenAll(Enumerable.Range(0, Nodes).SelectMany(node => _known.Concat(_unknown).Select(async job =>
        {
            while (watch.Elapsed < time)
            {
                answers.Enqueue(await gateways.GetAsync(node, job));
                await Task.Delay(100, World.Cancellation);
            }
        })));
        return [.. answers];
    }

    private void AssertAnswers(List<GatewayProcesses.Answer> answers, TimeSpan atMost)
    {
        foreach (var answer in answers)
        {
            if (_known.Contains(answer.Job))
            {
                Assert.True(answer.Status == HttpStatusCode.OK, $"{answer}");
                Assert.Matches("^Gateway; hit; ttl=-[0-9]+; detail=[a-z-]+$", answer.CacheStatus);
                Assert.True(answer.Age >= RunningLifetime, $"{answer}");
            }
            else
            {
                Assert.True(answer.Status is HttpStatusCode.BadGateway or HttpStatusCode.ServiceUnavailable
                    or HttpStatusCode.GatewayTimeout, $"{answer}");
                Assert.Equal("application/problem+json", answer.MediaType);
            }
        }
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{answers.Count} answers, the slowest {answers.MaxBy(answer => answer.Time)}");
        Promptness.AssertWithin(atMost, answers, answer => answer.Time);
    }

    /// <summary>
    /// All nodes together fill a job once per back-off. The circuit breaker of each node bounds the tries as well.
    /// </summary>
    private static async Task AssertCallsAreBoundedAsync(
        GatewayProcesses gateways, (int Tries, int Fills) before, TimeSpan outage)
    {
        var (tries, fills) = (await TriesAsync(gateways) - before.Tries, await FillsAsync(gateways) - before.Fills);
        TestContext.Current.TestOutputHelper?.WriteLine($"{tries} tries in {fills} fills");
        var allowed = 2 * Jobs * (int)(outage / BackOff + 2);
        Assert.InRange(fills, 1, allowed);
        // While the circuit is closed, all fills that began together try; after that, one at a time.
        Assert.InRange(tries, 1, Nodes * (2 * Jobs + BreakerThroughput + TriesOfAFill * (int)(outage / Break + 1)));
    }

    private async Task AssertRecoveryAsync(GatewayProcesses gateways, TimeSpan within)
    {
        var watch = Stopwatch.StartNew();
        await Task.WhenAll(Enumerable.Range(0, Nodes).SelectMany(node => _known.Concat(_unknown).Select(async job =>
        {
            while (await gateways.GetAsync(node, job) is var answer && (
                answer.Status != HttpStatusCode.OK || answer.CacheStatus.Contains("detail", StringComparison.Ordinal)))
            {
                Assert.True(watch.Elapsed < within + Slack + Promptness.Grace,
                    $"Not fresh again after {watch.Elapsed}: {answer}");
                await Task.Delay(50, World.Cancellation);
            }
        })));
        TestContext.Current.TestOutputHelper?.WriteLine($"All fresh again after {watch.Elapsed}");
    }
}

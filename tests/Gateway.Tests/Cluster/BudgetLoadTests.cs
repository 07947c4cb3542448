using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.Cluster;

/// <summary>
/// Three gateways with one Redis, and two teams that request more jobs from one account than its budget allows.
/// </summary>
[Collection(nameof(Alone))]
[Trait("Redis", "one")]
public sealed class BudgetLoadTests(RedisServer redis)
{
    private const int Nodes = 3, PerSecond = 10, Burst = 20, Large = 1900, Small = 100;

    // The delay, in seconds, that a busy machine may add between a permit and the record of the upstream.
    private const double Jitter = 1;

    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(2);

    [Fact]
    public async Task The_upstream_gets_at_most_the_budget_and_a_small_team_gets_half_of_it()
    {
        await using var world = await World.WithoutGatewayAsync(clock: null, GatewayProcesses.Settings(redis, [
            ("Upstream:Accounts:default:RequestsPerSecond", $"{PerSecond}"),
            ("Upstream:Accounts:default:Burst", $"{Burst}"),
            ("Upstream:Accounts:default:MaxConcurrentRequests", "32"),
            ("Upstream:Accounts:default:QueueTimeout", $"{Deadline}")]));
        await using var gateways = await GatewayProcesses.StartAsync(world, Nodes);
        await gateways.WarmUpAsync();
        await Task.Delay(TimeSpan.FromSeconds((double)Burst / PerSecond), World.Cancellation);
        world.Upstream.Ledger.Clear();
        var longest = new ConcurrentBag<TimeSpan>();
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(World.Cancellation);
        var watch = Stopwatch.StartNew();

        var large = Enumerable.Range(0, Large)
            .Select(i => FetchAsync(gateways, i % Nodes, World.MappingKey, longest, enough.Token)).ToArray();
        var small = Enumerable.Range(0, Small)
            .Select(i => FetchAsync(gateways, i % Nodes, World.SurveyKey, longest, enough.Token)).ToArray();
        await Task.WhenAll(small);

        var took = watch.Elapsed;
        await enough.CancelAsync();
        await Task.WhenAll(large);
        var calls = world.Upstream.Ledger.Total;
        var excess = Budget.Excess(world, PerSecond, Burst);
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"The small team was done after {took}; {calls} calls, {excess:0.0} ahead at most; the longest wait was "
            + $"{longest.Max()}");
        Assert.InRange(excess, double.MinValue, PerSecond * Jitter);
        // The small team gets half of the budget until its jobs are done; Retry-After is rounded up to whole seconds.
        Assert.InRange(took.TotalSeconds, 0, (Small - Burst / 2.0) / (PerSecond / 2.0) + 8);
        Assert.InRange(longest.Max(), TimeSpan.Zero, Deadline + Promptness.Grace);
        // The budget is used almost completely.
        Assert.InRange(calls, PerSecond * took.TotalSeconds * 0.8, double.MaxValue);
    }

    private static async Task FetchAsync(
        GatewayProcesses gateways, int node, string key, ConcurrentBag<TimeSpan> longest, CancellationToken enough)
    {
        var job = $"finished-{Guid.NewGuid():N}";
        while (!enough.IsCancellationRequested)
        {
            var answer = await gateways.GetAsync(node, job, key);
            longest.Add(answer.Time);
            if (answer.Status == HttpStatusCode.OK) return;
            Assert.True(answer is { Status: HttpStatusCode.ServiceUnavailable, RetryAfter: not null }, $"{answer}");
            await Task.Delay(answer.RetryAfter.Value, enough).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}

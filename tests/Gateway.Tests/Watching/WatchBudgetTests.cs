using System.Diagnostics;
using System.Globalization;
using System.Net;
using Gateway.Caching;
using Gateway.Jobs;
using Gateway.Tests.Infrastructure;
using Gateway.Watching;
using Microsoft.Extensions.DependencyInjection;
using Simulator;

namespace Gateway.Tests.Watching;

/// <summary>More watched jobs than the account's budget can poll, on two nodes.</summary>
[Trait("Redis", "any")]
[Collection(nameof(Alone))]
public sealed class WatchBudgetTests(RedisServer redis, ITestOutputHelper output)
{
    private const string Account = "Upstream:Accounts:default:";

    private const int PerSecond = 10, Burst = 20, ReadsPerSecond = 3;

    // GATEWAY_WATCHED_JOBS=500 takes three minutes.
    private static readonly int Watched =
        int.Parse(Environment.GetEnvironmentVariable("GATEWAY_WATCHED_JOBS") ?? "60", CultureInfo.InvariantCulture);

    // A job is not looked at before its own pace, and then within 2 N / B.
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(5 + 2.0 * Watched / (PerSecond - ReadsPerSecond));

    private static readonly TimeSpan Reading = TimeSpan.FromSeconds(10), Watching = Bound + TimeSpan.FromSeconds(8);

    [Fact]
    public async Task Readers_of_other_jobs_do_not_notice_watchers_and_each_watched_job_is_polled_in_time()
    {
        await using var world = await StartAsync();
        GatewayNode[] nodes = [world.Gateway, world.AddGateway()];
        var without = await ReadAsync(nodes);
        world.Upstream.Ledger.Clear();
        var started = TimeProvider.System.GetUtcNow();

        var jobs = Enumerable.Range(0, Watched).Select(_ => $"run-3000-{Guid.NewGuid():N}").ToArray();
        var watches = jobs.SelectMany((job, i) => nodes.Where((_, node) => i < Watched / 3 || i % nodes.Length == node)
            .Select(node => Begin(world, node, job))).ToArray();
        var reading = ReadAsync(nodes);
        await Task.Delay(Watching, World.Cancellation);
        var with = await reading;
        var ended = TimeProvider.System.GetUtcNow();

        // Readers.
        Assert.All(without.Concat(with), answer => Assert.Equal(HttpStatusCode.OK, answer.Status));
        Assert.InRange(Median(with), 0, Median(without) + 0.05);
        Assert.InRange(with.Max(answer => answer.Seconds), 0, without.Max(answer => answer.Seconds) + 0.3);
        // Watchers.
        Assert.All(watches, watch => Assert.Null(watch.State?.Failure));
        Assert.All(watches, watch => Assert.NotNull(watch.State?.Snapshot));
        var calls = world.Upstream.Ledger.Calls.ToLookup(call => call.JobId, call => call.At);
        var longest = TimeSpan.Zero;
        foreach (var job in jobs)
        {
            var looks = calls[job].Order().ToArray();
            DateTimeOffset[] times = [started, .. looks, ended];
            longest = times.Zip(times[1..]).Select(pair => pair.Second - pair.First).Append(longest).Max();
            // Both nodes share one fetch for each lifetime of 2 s.
            Assert.All(looks.Zip(looks[1..]),
                pair => Assert.InRange(pair.Second - pair.First, TimeSpan.FromSeconds(1.9), TimeSpan.MaxValue));
        }
        Assert.InRange(longest, TimeSpan.Zero, Bound);
        // The upstream. Most of the budget is used.
        Assert.InRange(Budget.Excess(world, PerSecond, Burst), double.MinValue, 1);
        var budget = Burst + PerSecond * (ended - started).TotalSeconds;
        Assert.InRange(world.Upstream.Ledger.Total, 0.7 * budget, budget + 1);
        foreach (var watch in watches) watch.Dispose();
        output.WriteLine($"{Watched} jobs: longest time between two looks {longest.TotalSeconds:0.0} s, at most "
            + $"{Bound.TotalSeconds:0.0}; median of a read {1000 * Median(without):0} ms without watchers, "
            + $"{1000 * Median(with):0} ms with them");
    }

    [Fact]
    public async Task Watchers_are_told_that_the_upstream_asks_to_slow_down_and_see_the_job_again_afterwards()
    {
        await using var world = await StartAsync((Account + "RequestsPerSecond", "1000"));
        GatewayNode[] nodes = [world.Gateway, world.AddGateway()];
        var watches = Enumerable.Range(0, 40).Select(i => Begin(
            world, nodes[i % nodes.Length], $"run-3000-{Guid.NewGuid():N}")).ToArray();
        await UntilAllAsync(state => state is { Snapshot: not null, Failure: null }, "all jobs are known");
        world.Upstream.Faults.Add(new Fault { Kind = FaultKind.Status, Status = 429, RetryAfter = "10", Times = 1 });

        await UntilAllAsync(state => state.Failure?.Verdict.Kind == VerdictKind.Busy, "all watchers know of the pause");

        await UntilAllAsync(state => state is { Snapshot: not null, Failure: null }, "all jobs are known again");
        // During the pause, no call goes out.
        var calls = world.Upstream.Ledger.Calls.OrderBy(call => call.At).ToArray();
        var pause = Array.FindIndex(calls, call => call.Status == 429);
        Assert.All(calls.Skip(pause + 1).SkipWhile(call => call.At - calls[pause].At < TimeSpan.FromSeconds(0.3)),
            call => Assert.InRange(call.At - calls[pause].At, TimeSpan.FromSeconds(9.9), TimeSpan.MaxValue));
        foreach (var watch in watches) watch.Dispose();

        Task UntilAllAsync(Func<WatchedState, bool> holds, string what) => Wait.UntilAsync(TimeSpan.FromSeconds(30),
            () => watches.All(watch => watch.State is { } state && holds(state)), what);
    }

    private Task<World> StartAsync(params (string, string?)[] settings) => World.StartAsync(
    [
        ("ConnectionStrings:Redis", redis.ConnectionString), (Account + "RequestsPerSecond", $"{PerSecond}"),
        (Account + "Burst", $"{Burst}"), .. settings,
    ]);

    private static WatchedJobs.Watch Begin(World world, GatewayNode node, string job)
    {
        Assert.True(JobAddress.TryCreate("survey-1", job, out var address));
        var watched = node.Services.GetRequiredService<WatchedJobs>();
        return watched.Begin(new JobKey(world.Account, address), "mapping", new Signal(), WatcherKind.Stream)!;
    }

    // Reads jobs that no node knows yet, as the team that watches: teams take turns, which would protect another one.
    private static async Task<List<(HttpStatusCode Status, double Seconds)>> ReadAsync(GatewayNode[] nodes)
    {
        var reads = new List<Task<(HttpStatusCode, double)>>();
        var watch = Stopwatch.StartNew();
        for (var i = 0; watch.Elapsed < Reading; i++)
        {
            reads.Add(ReadAsync(nodes[i % nodes.Length]));
            await Task.Delay(TimeSpan.FromSeconds(1.0 / ReadsPerSecond), World.Cancellation);
        }
        return [.. await Task.WhenAll(reads)];
    }

    private static async Task<(HttpStatusCode, double)> ReadAsync(GatewayNode node)
    {
        var started = Stopwatch.GetTimestamp();
        using var answer = await World.GetAsync(node, $"finished-{Guid.NewGuid():N}");
        return (answer.StatusCode, Stopwatch.GetElapsedTime(started).TotalSeconds);
    }

    private static double Median(List<(HttpStatusCode Status, double Seconds)> answers) =>
        answers.Select(answer => answer.Seconds).Order().ElementAt(answers.Count / 2);
}

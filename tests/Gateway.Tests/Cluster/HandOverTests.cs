using System.Net;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.RequestPath;
using Simulator;
using StackExchange.Redis;

namespace Gateway.Tests.Cluster;

/// <summary>One node fetches and others wait: they give the answer of the fetching node.</summary>
[Trait("Redis", "any")]
public sealed class HandOverTests(RedisServer redis)
{
    private static readonly TimeSpan Slow = TimeSpan.FromSeconds(1);

    private readonly string _job = $"run-300-{Guid.NewGuid():N}";

    [Theory]
    [InlineData(200, HttpStatusCode.OK)]
    [InlineData(404, HttpStatusCode.NotFound)]
    [InlineData(400, HttpStatusCode.BadRequest)]
    [InlineData(403, HttpStatusCode.Forbidden)]
    [InlineData(401, HttpStatusCode.ServiceUnavailable)]
    [InlineData(500, HttpStatusCode.BadGateway)]
    [InlineData(429, HttpStatusCode.ServiceUnavailable)]
    public async Task Waiting_nodes_give_the_fetching_nodes_answer_even_with_a_zero_lifetime(
        int upstreamStatus, HttpStatusCode status)
    {
        await using var world = await StartAsync(
            ("Jobs:RunningLifetime", "00:00:00"), ("Jobs:NotFoundLifetime", "00:00:00"),
            ("Jobs:StaleIfError", "00:00:00"));
        world.Upstream.Faults.Add(upstreamStatus == 200
            ? new Fault { Job = _job, Kind = FaultKind.Delay, Delay = Slow }
            : new Fault { Job = _job, Kind = FaultKind.Status, Status = upstreamStatus, Delay = Slow });
        var others = new[] { world.AddGateway(), world.AddGateway() };

        var first = world.GetAsync(_job);
        await UntilFetchedAsync(world);
        var answers = await Task.WhenAll([first, .. others.Select(node => World.GetAsync(node, _job))]);

        Assert.All(answers, answer => Assert.Equal(status, answer.StatusCode));
        Assert.Equal(1, world.Upstream.Ledger.Total);
        if (upstreamStatus == 200) Assert.Single(answers.Select(answer => answer.Headers.ETag).Distinct());
    }

    [Theory]
    [InlineData(403, 2)]
    [InlineData(200, 2)]
    [InlineData(500, 1)]
    public async Task A_later_request_fetches_again_unless_a_back_off_is_running(int upstreamStatus, int calls)
    {
        await using var world = await StartAsync(
            ("Jobs:RunningLifetime", "00:00:00"), ("Jobs:StaleIfError", "00:00:00"));
        if (upstreamStatus != 200)
            world.Upstream.Faults.Add(new Fault { Job = _job, Kind = FaultKind.Status, Status = upstreamStatus });
        var other = world.AddGateway();

        using var first = await world.GetAsync(_job);
        using var second = await World.GetAsync(other, _job);

        Assert.Equal(first.StatusCode, second.StatusCode);
        Assert.Equal(calls, world.Upstream.Ledger.Total);
    }

    [Fact]
    public async Task A_back_off_ends_on_all_nodes_and_recovery_takes_a_running_lifetime()
    {
        await using var world = await StartAsync();
        var other = world.AddGateway();
        using var known = await world.GetAsync(_job);
        await Task.Delay(TimeSpan.FromSeconds(2.5), World.Cancellation);
        world.Upstream.Faults.Add(new Fault { Job = _job, Kind = FaultKind.Status, Status = 500 });
        using var stale = await world.GetAsync(_job);
        using var alsoStale = await World.GetAsync(other, _job);
        world.Upstream.Faults.Clear();
        await Task.Delay(TimeSpan.FromSeconds(1.5), World.Cancellation);

        using var fresh = await World.GetAsync(other, _job);

        Assert.All([stale, alsoStale], answer =>
            Assert.Contains("detail=upstream-500", JobTests.CacheStatus(answer), StringComparison.Ordinal));
        Assert.Contains("stored", JobTests.CacheStatus(fresh), StringComparison.Ordinal);
        Assert.Equal(3, world.Upstream.Ledger.Total);
    }

    [Fact]
    public async Task A_late_unfinished_answer_is_dropped_if_the_job_has_finished_meanwhile()
    {
        await using var world = await StartAsync(("Jobs:RunningLifetime", "00:01:00"));
        var finisher = world.AddGateway();
        var job = $"finished-{Guid.NewGuid():N}";
        var running = $"{{\"id\":\"{job}\",\"workflow_id\":\"survey-1\",\"status\":\"running\"}}";
        world.Upstream.Faults.Add(
            new Fault
            {
                Job = job,
                Kind = FaultKind.Status,
                Status = 200,
                Body = running,
                Delay = 2 * Slow,
                Times = 1
            });
        var late = world.GetAsync(job);
        await UntilFetchedAsync(world);
        await using var connection = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString);
        Assert.True(await connection.GetDatabase().KeyDeleteAsync($"gateway:{{{world.Account}/survey-1/{job}}}:lock"));

        using var finished = await World.GetAsync(finisher, job);
        using var answer = await late;

        Assert.Equal(finished.Headers.ETag, answer.Headers.ETag);
        foreach (var node in (GatewayNode[])[world.Gateway, finisher, world.AddGateway()])
        {
            using var now = await World.GetAsync(node, job);
            Assert.Equal(finished.Headers.ETag, now.Headers.ETag);
        }
        Assert.Equal(2, world.Upstream.Ledger.Total);
    }

    private Task<World> StartAsync(params (string Key, string? Value)[] settings) =>
        World.StartAsync([("ConnectionStrings:Redis", redis.ConnectionString), .. settings]);

    private static async Task UntilFetchedAsync(World world)
    {
        while (world.Upstream.Ledger.Total == 0) await Task.Delay(5, World.Cancellation);
    }
}

using System.Net;
using Gateway.Tests.Admin;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.RequestPath;
using Simulator;

namespace Gateway.Tests.Cluster;

/// <summary>Soft purges: jobs become stale, are fetched again, and answer while the upstream fails.</summary>
[Trait("Redis", "any")]
public sealed class SoftPurgeTests(RedisServer redis)
{
    private readonly string _id = $"{Guid.NewGuid():N}";

    private string Job => $"finished-{_id}";

    [Theory]
    [InlineData("finished", "/survey-1/JOB")]
    [InlineData("finished", "/survey-1")]
    [InlineData("run-300", "")]
    public async Task A_soft_purge_makes_the_jobs_in_its_scope_stale_on_all_nodes(string kind, string scope)
    {
        await using var world = await WorldAsync(("Jobs:RunningLifetime", "00:10:00"));
        var other = world.AddGateway();
        var job = $"{kind}-{_id}";
        Assert.False(await Purging.IsHitAsync(world.Gateway, job));
        Assert.False(await Purging.IsHitAsync(world.Gateway, job, "outside-1"));
        Assert.True(await Purging.IsHitAsync(other, job));

        var (inRedis, inMemory) = await Purging.SoftAsync(
            world.Gateway, world.Account + scope.Replace("JOB", job, StringComparison.Ordinal));

        var inScope = scope.Length > 0 ? 1 : 2;
        Assert.Equal((inScope, inScope), (inRedis, inMemory));
        await Wait.UntilAsync(
            Purging.Promised, async () => !await Purging.IsHitAsync(other, job), "the other node fetches again");
        Assert.Equal(2, world.Upstream.Ledger.CallsFor("survey-1", job));
        Assert.True(await Purging.IsHitAsync(world.Gateway, job));
        Assert.True(await Purging.IsHitAsync(other, job));
        Assert.Equal(scope.Length > 0, await Purging.IsHitAsync(world.Gateway, job, "outside-1"));
    }

    [Fact]
    public async Task A_node_that_starts_after_a_soft_purge_fetches_what_Redis_has()
    {
        await using var world = await WorldAsync();
        Assert.False(await Purging.IsHitAsync(world.Gateway, Job));
        await Purging.SoftAsync(world.Gateway, $"{world.Account}/survey-1");

        Assert.False(await Purging.IsHitAsync(world.AddGateway(), Job));

        Assert.Equal(2, world.Upstream.Ledger.CallsFor(Job));
    }

    [Fact]
    public async Task While_the_upstream_fails_a_soft_purged_job_in_Redis_answers_as_stale()
    {
        await using var world = await WorldAsync();
        Assert.False(await Purging.IsHitAsync(world.Gateway, Job));
        await Purging.SoftAsync(world.Gateway, $"{world.Account}/survey-1/{Job}");
        world.Upstream.Faults.Add(new Fault { Job = Job, Kind = FaultKind.Status, Status = 503, RetryAfter = "0" });

        foreach (var node in (GatewayNode[])[world.Gateway, world.AddGateway()])
        {
            using var answer = await World.GetAsync(node, Job);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            Assert.EndsWith("detail=upstream-503", JobTests.CacheStatus(answer), StringComparison.Ordinal);
        }
        world.Upstream.Faults.Clear();
        await Wait.UntilAsync(TimeSpan.FromSeconds(20), () => Purging.IsHitAsync(world.Gateway, Job), "fetched");
    }

    [Fact]
    public async Task A_soft_purged_job_answers_as_stale_for_StaleIfError_from_the_purge_on()
    {
        await using var world = await World.StopClockAsync(Purging.Operator);
        Assert.False(await Purging.IsHitAsync(world.Gateway, "finished-1"));
        Assert.False(await Purging.IsHitAsync(world.Gateway, "finished-2"));
        world.Clock!.Advance(TimeSpan.FromDays(5));
        await Purging.SoftAsync(world.Gateway, "default/survey-1/finished-1");
        Assert.Equal((0, 1), await Purging.CountAsync(world.Gateway, "default/survey-1/finished-2"));
        world.Upstream.Faults.Add(new Fault { Kind = FaultKind.Status, Status = 503, RetryAfter = "0" });

        var report = await Reports.GetAsync(world.Gateway, "admin/jobs/default/survey-1/finished-1");
        Assert.Equal(("soft-purged", "False", "True"), (report.Of("memory.rule"), report.Of("memory.is_fresh"),
            report.GetProperty("purges")[0].Of("soft")));
        world.Clock.Advance(TimeSpan.FromMinutes(9));
        using var stale = await world.GetAsync("finished-1");
        using var purged = await world.GetAsync("finished-2");
        world.Clock.Advance(TimeSpan.FromMinutes(2));
        using var late = await world.GetAsync("finished-1");

        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.ServiceUnavailable, HttpStatusCode.ServiceUnavailable),
            (stale.StatusCode, purged.StatusCode, late.StatusCode));
    }

    [Fact]
    public async Task A_newer_finished_answer_replaces_a_soft_purged_job()
    {
        await using var world = await WorldAsync();
        Assert.False(await Purging.IsHitAsync(world.Gateway, Job));
        var bytes = System.Text.Encoding.UTF8.GetString(await world.UpstreamBytesAsync(Job));
        var changed = bytes.Insert(1, "\"corrected\":true,");
        world.Upstream.Faults.Add(new Fault { Job = Job, Kind = FaultKind.Status, Status = 200, Body = changed });
        await Purging.SoftAsync(world.Gateway, $"{world.Account}/survey-1/{Job}");

        foreach (var node in (GatewayNode[])[world.Gateway, world.AddGateway()])
        {
            using var answer = await World.GetAsync(node, Job);
            Assert.Equal(changed, await answer.Content.ReadAsStringAsync(World.Cancellation));
        }
        Assert.True(await Purging.IsHitAsync(world.Gateway, Job));
    }

    [Fact]
    public async Task A_fetch_under_way_at_a_soft_purge_is_stored_as_stale()
    {
        await using var world = await WorldAsync();
        world.Upstream.Faults.Add(
            new Fault { Job = Job, Kind = FaultKind.Delay, Delay = TimeSpan.FromSeconds(2), Times = 1 });
        var fetching = World.GetAsync(world.Gateway, Job);
        await Wait.UntilAsync(
            TimeSpan.FromSeconds(20), () => world.Upstream.Ledger.CallsFor(Job) == 1, "the fetch is under way");
        await Purging.SoftAsync(world.Gateway, world.Account);
        using var first = await fetching;
        Assert.Equal(HttpStatusCode.OK, first.StatusCode);

        Assert.False(await Purging.IsHitAsync(world.AddGateway(), Job));

        Assert.Equal(2, world.Upstream.Ledger.CallsFor(Job));
        Assert.True(await Purging.IsHitAsync(world.Gateway, Job));
    }

    [Fact]
    public async Task A_soft_purge_ends_the_back_off_of_a_failed_job_on_all_nodes()
    {
        await using var world = await WorldAsync(("Jobs:RunningLifetime", "00:01:00"));
        var other = world.AddGateway();
        world.Upstream.Faults.Add(new Fault { Job = Job, Kind = FaultKind.Status, Status = 500, Times = 1 });
        foreach (var node in (GatewayNode[])[world.Gateway, other])
        {
            using var failed = await World.GetAsync(node, Job);
            Assert.Equal(HttpStatusCode.BadGateway, failed.StatusCode);
        }

        Assert.Equal((0, 0), await Purging.SoftAsync(world.Gateway, $"{world.Account}/survey-1/{Job}"));

        await Wait.UntilAsync(Purging.Promised, async () =>
        {
            using var answer = await World.GetAsync(other, Job);
            return answer.IsSuccessStatusCode;
        }, "the other node fetches again");
    }

    private Task<World> WorldAsync(params (string Key, string? Value)[] settings) => World.StartAsync(
        [.. Purging.Operator, ("ConnectionStrings:Redis", redis.ConnectionString), .. settings]);
}

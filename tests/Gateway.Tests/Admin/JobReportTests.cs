using System.Net;
using System.Text.Json;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.RequestPath;
using Simulator;

namespace Gateway.Tests.Admin;

/// <summary>The explanation of a job's answer, compared with what requests get.</summary>
[Trait("Redis", "any")]
public sealed class JobReportTests(RedisServer redis)
{
    private readonly string _job = $"finished-{Guid.NewGuid():N}";

    [Theory]
    [InlineData(null, 401, "/problems/unauthenticated")]
    [InlineData(World.MappingKey, 403, "/problems/operator-required")]
    public async Task Only_operators_get_the_explanation(string? key, int status, string type)
    {
        await using var world = await World.StartAsync(Purging.Operator);
        using var answer = await Reports.AskAsync(world.Gateway, "admin/jobs/default/survey-1/finished-1", key ?? "x");
        Assert.Equal((status, type), ((int)answer.StatusCode, await BoundTests.ProblemTypeAsync(answer)));
    }

    [Fact]
    public async Task An_account_that_is_not_configured_is_404_and_names_only_itself()
    {
        await using var world = await World.StartAsync(Purging.Operator);
        using var answer = await Reports.AskAsync(world.Gateway, "admin/jobs/nobody/survey-1/finished-1");
        Assert.Equal((404, "/problems/account-not-configured"),
            ((int)answer.StatusCode, await BoundTests.ProblemTypeAsync(answer)));
        var body = JsonElement.Parse(await answer.Content.ReadAsStringAsync(World.Cancellation));
        Assert.Equal("No account 'nobody' is configured.", body.Of("detail"));
    }

    [Fact]
    public async Task A_job_that_nobody_knows_is_reported_as_such_and_not_fetched()
    {
        await using var world = await WorldAsync();
        var report = await ReportAsync(world, world.Gateway, _job);
        Assert.Equal(("False", "fetch", "False", "False"), (report.Of("known"), report.Of("next_request.outcome"),
            report.Of("memory.present"), report.Of("redis.finished.present")));
        Assert.Equal(0, world.Upstream.Ledger.Total);
    }

    [Fact]
    public async Task A_finished_job_is_explained_by_memory_on_one_node_and_by_Redis_on_the_other()
    {
        await using var world = await WorldAsync();
        var other = world.AddGateway();
        using var answer = await World.GetAsync(world.Gateway, _job);

        var here = await ReportAsync(world, world.Gateway, _job);
        var there = await ReportAsync(world, other, _job);

        var bytes = $"{(await world.UpstreamBytesAsync(_job)).Length}";
        Assert.Equal(("hit", "memory", "200"), Next(here));
        Assert.Equal(("hit", "redis", "200"), Next(there));
        Assert.Equal(("False", "True"), (there.Of("memory.present"), there.Of("redis.finished.present")));
        foreach (var place in (string[])["memory", "redis.finished"])
        {
            Assert.Equal(("finished", "completed", answer.Headers.ETag!.Tag, bytes, "finished", "True"),
                (here.Of($"{place}.kind"), here.Of($"{place}.status"), here.Of($"{place}.etag"),
                here.Of($"{place}.bytes"), here.Of($"{place}.rule"), here.Of($"{place}.is_fresh")));
            Assert.Equal(here.Of("memory.order"), here.Of($"{place}.order"));
            var lifetime = here.TimeOf($"{place}.fresh_until") - here.TimeOf($"{place}.fetched_at");
            Assert.Equal(TimeSpan.FromDays(30), lifetime);
        }
        Assert.Equal(("True", "False"), (here.Of("redis.noted_finished"), here.Of("redis.live.present")));
        Assert.InRange(here.TimeOf("redis.finished.kept_until") - DateTimeOffset.UtcNow,
            TimeSpan.FromDays(29), TimeSpan.FromDays(30));
        Assert.NotEqual(here.Of("node"), there.Of("node"));

        // The look itself has neither fetched nor stored.
        Assert.Equal(2, world.Upstream.Ledger.Total);
        Assert.Equal("False", (await ReportAsync(world, other, _job)).Of("memory.present"));
        Assert.True(await Purging.IsHitAsync(other, _job));
    }

    [Theory]
    [InlineData("finished-1", "finished", "finished")]
    [InlineData("run-300", "running", "running")]
    [InlineData("run-300.retry-9", "running", "retry-after")]
    [InlineData("run-300.accepted", "running", "running")]
    [InlineData("fail", "failed", "failed")]
    [InlineData("finished-1.unfinished", "running", "unclear-end")]
    [InlineData("finished-1.signed-60", "finished", "signed-urls")]
    [InlineData("missing", "not-found", "absent")]
    public async Task The_rule_of_the_freshness_table_is_named(string job, string kind, string rule)
    {
        await using var world = await World.StopClockAsync(Purging.Operator);
        (await world.GetAsync(job)).Dispose();

        var report = await Reports.GetAsync(world.Gateway, $"admin/jobs/default/survey-1/{job}");

        Assert.Equal((kind, rule), (report.Of("memory.kind"), report.Of("memory.rule")));
        Assert.Equal(("not-configured", "hit"), (report.Of("redis.state"), report.Of("next_request.outcome")));
        Assert.Contains($"| `{rule}` |", await File.ReadAllTextAsync(
            Path.Combine(Repository.Root, "docs", "caching.md"), World.Cancellation), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_failure_and_a_purge_are_explained_on_all_nodes()
    {
        await using var world = await WorldAsync(("Jobs:RunningLifetime", "00:00:10"));
        var other = world.AddGateway();
        var job = $"run-300-{Guid.NewGuid():N}";
        (await World.GetAsync(world.Gateway, job)).Dispose();
        using (await Purging.PurgeAsync(world.Gateway, $"{world.Account}/survey-1/{job}")) { }
        world.Upstream.Faults.Add(new Fault { Job = job, Kind = FaultKind.Status, Status = 500 });
        using var failed = await World.GetAsync(world.Gateway, job);
        Assert.Equal(HttpStatusCode.BadGateway, failed.StatusCode);

        var here = await ReportAsync(world, world.Gateway, job);
        var there = await ReportAsync(world, other, job);

        foreach (var (report, place) in new[] { (here, "memory"), (there, "redis") })
        {
            Assert.Equal(("failed", "", "502"), Next(report));
            Assert.Equal(("/problems/upstream-failed", "upstream-500", "500", place),
                (report.Of("last_failure.problem"), report.Of("last_failure.detail"),
                report.Of("last_failure.upstream_status"), report.Of("last_failure.kept_in")));
            Assert.True(
                report.TimeOf("last_failure.remembered_until") >= report.TimeOf("last_failure.next_fetch_from"));
            // Orders may be ahead of the clock: another test may have left a later purge in this Redis.
            Assert.True(report.TimeOf("last_failure.at") > DateTimeOffset.UtcNow.AddMinutes(-1));
            Assert.Equal($"{world.Account}/survey-1/{job}", report.GetProperty("purges")[0].Of("scope"));
        }
        Assert.Equal(here.Of("last_failure.at"), there.Of("last_failure.at"));
    }

    [Fact]
    public async Task The_node_that_fetches_is_named_on_all_nodes()
    {
        await using var world = await WorldAsync();
        var other = world.AddGateway();
        var job = $"run-300-{Guid.NewGuid():N}";
        world.Upstream.Faults.Add(new Fault { Job = job, Kind = FaultKind.Delay, Delay = TimeSpan.FromSeconds(3) });
        var fetching = World.GetAsync(world.Gateway, job);
        var there = default(JsonElement);
        await Wait.UntilAsync(TimeSpan.FromSeconds(20), async () =>
            (there = await ReportAsync(world, other, job)).GetProperty("fetch").GetProperty("lock").ValueKind
                == JsonValueKind.Object, "the lock is held");
        var here = await ReportAsync(world, world.Gateway, job);
        (await fetching).Dispose();

        Assert.StartsWith($"{Environment.MachineName}-", here.Of("node"), StringComparison.Ordinal);
        Assert.Equal((here.Of("node"), "False", "False"),
            (there.Of("fetch.lock.holder"), there.Of("fetch.lock.is_this_node"), there.Of("fetch.on_this_node")));
        Assert.Equal(("True", "True"), (here.Of("fetch.lock.is_this_node"), here.Of("fetch.on_this_node")));
        Assert.Equal(("wait", here.Of("node"), ""), Next(there));
        Assert.True(there.TimeOf("fetch.lock.since") < there.TimeOf("fetch.lock.until"));
    }

    [Fact]
    public async Task Watchers_and_the_poller_are_reported()
    {
        await using var world = await World.StartAsync([.. Purging.Operator, ("Watching:MaxWait", "00:01:00")]);
        const string Job = "run-300-watched";
        await using var stream = await EventReader.OpenAsync(world.Gateway, EventReader.PathOf(Job));
        using var leaving = new CancellationTokenSource();
        using var client = world.Gateway.Client(("X-Api-Key", World.MappingKey), ("Prefer", "wait=60"));
        var waiting = client.GetAsync(new Uri($"v0/workflows/survey-1/jobs/{Job}", UriKind.Relative), leaving.Token);

        await Wait.UntilAsync(TimeSpan.FromSeconds(20), async () =>
        {
            var report = await Reports.GetAsync(world.Gateway, $"admin/jobs/default/survey-1/{Job}");
            return (report.Of("watchers.streams"), report.Of("watchers.waiting_requests")) == ("1", "1")
                && report.Of("watchers.teams") == """["mapping"]"""
                && report.Of("watchers.poller.waits_for_budget") == "False"
                && report.TimeOf("watchers.poller.next_look") > DateTimeOffset.UtcNow.AddSeconds(-5);
        }, "both watchers are counted");
        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        await Wait.UntilAsync(TimeSpan.FromSeconds(20), async () =>
            (await Reports.GetAsync(world.Gateway, $"admin/jobs/default/survey-1/{Job}"))
                .Of("watchers.waiting_requests") == "0", "the waiting request has left");
    }

    [Fact]
    public async Task Without_an_answer_of_Redis_the_explanation_says_so()
    {
        await using var own = new OwnRedis();
        await own.StartAsync();
        await using var world = await World.StartAsync([.. Purging.Operator, .. World.DefaultAccount,
            ("ConnectionStrings:Redis", own.ConnectionString)]);
        Assert.False(await Purging.IsHitAsync(world.Gateway, _job));
        await own.KillAsync();

        await Wait.UntilAsync(TimeSpan.FromSeconds(20), async () =>
            (await Reports.GetAsync(world.Gateway, $"admin/jobs/default/survey-1/{_job}")).Of("redis.state") == "away",
            "Redis is reported as away");

        var report = await Reports.GetAsync(world.Gateway, $"admin/jobs/default/survey-1/{_job}");
        Assert.Equal(("hit", "memory", "200"), Next(report));
    }

    private Task<World> WorldAsync(params (string Key, string? Value)[] settings) => World.StartAsync(
        [.. Purging.Operator, ("ConnectionStrings:Redis", redis.ConnectionString), .. settings]);

    private static Task<JsonElement> ReportAsync(World world, GatewayNode node, string job) =>
        Reports.GetAsync(node, $"admin/jobs/{world.Account}/survey-1/{job}");

    private static (string?, string?, string?) Next(JsonElement report) => (report.Of("next_request.outcome"),
        report.Of("next_request.from"), report.Of("next_request.status"));
}

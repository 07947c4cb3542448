using System.Net;
using System.Text.Json;
using Gateway.Redis;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.RequestPath;
using StackExchange.Redis;

namespace Gateway.Tests.Admin;

/// <summary>What operators see of the use of teams and keys.</summary>
public sealed class UsageTests
{
    private const string Totals =
        """{"requests":REQUESTS,"permits":PERMITS,"refused":REFUSED,"upstream_calls":CALLS}""";

    [Theory]
    [InlineData(null, 401, "/problems/unauthenticated")]
    [InlineData(World.MappingKey, 403, "/problems/operator-required")]
    public async Task Only_operators_see_the_use(string? key, int status, string type)
    {
        await using var world = await World.StartAsync(Purging.Operator);
        using var answer = await Reports.AskAsync(world.Gateway, "admin/usage", key ?? "x");
        Assert.Equal((status, type), ((int)answer.StatusCode, await BoundTests.ProblemTypeAsync(answer)));
    }

    [Theory]
    [InlineData("?team=nobody")]
    [InlineData("?team=mapping&team=survey")]
    [InlineData("?hours=0")]
    [InlineData("?hours=169")]
    [InlineData("?hours=many")]
    [InlineData("?hours=")]
    public async Task A_span_or_a_team_that_does_not_exist_is_refused(string query)
    {
        await using var world = await World.StartAsync(Purging.Operator);
        using var answer = await Reports.AskAsync(world.Gateway, $"admin/usage{query}");
        Assert.Equal((400, "/problems/bad-request"),
            ((int)answer.StatusCode, await BoundTests.ProblemTypeAsync(answer)));
    }

    [Fact]
    public async Task A_node_without_Redis_counts_alone_by_team_key_and_hour()
    {
        await using var world = await World.StopClockAsync([.. Purging.Operator,
            ("Teams:survey:Quota", "few"), ("Quotas:few:Requests", "2"), ("Quotas:few:Window", "01:00:00"),
            ("Quotas:few:Burst", "2"),
            ("Teams:mapping:ApiKeys:1:Id", "mapping-other"),
            ("Teams:mapping:ApiKeys:1:Sha256", World.Sha256("another-key-0123456789"))]);
        for (var i = 0; i < 5; i++) (await world.GetAsync("finished-1")).Dispose();
        (await world.GetAsync("missing")).Dispose();
        (await world.GetAsync("finished-2", key: "another-key-0123456789")).Dispose();
        for (var i = 0; i < 3; i++) (await world.GetAsync("finished-1", key: World.SurveyKey)).Dispose();
        using (var client = world.Gateway.Client(("X-Api-Key", World.MappingKey)))
        {
            (await client.GetAsync(new Uri("v0/jobs?job=survey-1/finished-1&job=survey-1/finished-3",
                UriKind.Relative), World.Cancellation)).Dispose();
        }

        var report = await Reports.GetAsync(world.Gateway, "admin/usage");

        Assert.Equal("node", report.Of("scope"));
        var (mapping, survey) = (TeamOf(report, "mapping"), TeamOf(report, "survey"));
        Assert.Equal(Figures(8, 9, 0, 4), mapping.Of("total"));
        Assert.Equal(Figures(7, 8, 0, 3), KeyOf(mapping, "mapping-test").Of("total"));
        Assert.Equal(Figures(1, 1, 0, 1), KeyOf(mapping, "mapping-other").Of("total"));
        Assert.Equal(Figures(3, 2, 1, 0), survey.Of("total"));
        Assert.Equal(world.Clock!.GetUtcNow().ToUnixTimeSeconds(),
            KeyOf(mapping, "mapping-test").TimeOf("last_use").ToUnixTimeSeconds());

        // The next hour has counts of its own.
        world.Clock.Advance(TimeSpan.FromHours(1));
        (await world.GetAsync("finished-1")).Dispose();
        mapping = TeamOf(await Reports.GetAsync(world.Gateway, "admin/usage?team=MAPPING&hours=2"), "mapping");
        Assert.Equal(["8", "1"], mapping.GetProperty("hours").EnumerateArray().Select(hour => hour.Of("requests")));
        mapping = TeamOf(await Reports.GetAsync(world.Gateway, "admin/usage?hours=1"), "mapping");
        Assert.Equal(Figures(1, 1, 0, 0), mapping.Of("total"));

        // A week later, the hours are forgotten.
        world.Clock.Advance(TimeSpan.FromHours(168));
        mapping = TeamOf(await Reports.GetAsync(world.Gateway, "admin/usage?hours=168"), "mapping");
        Assert.Equal(Figures(0, 0, 0, 0), mapping.Of("total"));
    }

    [Fact]
    public async Task Keys_that_expire_within_30_days_are_listed()
    {
        var now = DateTimeOffset.UtcNow;
        await using var world = await World.StartAsync([.. Purging.Operator,
            ("Teams:mapping:ApiKeys:0:ExpiresAt", now.AddDays(29).ToString("O")),
            ("Teams:survey:ApiKeys:0:ExpiresAt", now.AddDays(31).ToString("O")),
            ("Operators:ApiKeys:0:ExpiresAt", now.AddDays(2).ToString("O"))]);

        var report = await Reports.GetAsync(world.Gateway, "admin/usage");

        Assert.Equal([" operator-test", "mapping mapping-test"],
            report.GetProperty("keys_that_expire_soon").EnumerateArray()
                .Select(key => $"{key.Of("team")} {key.Of("id")}"));
        Assert.Equal(now.AddDays(31), KeyOf(TeamOf(report, "survey"), "survey-test").TimeOf("expires_at"));
        Assert.InRange(report.GetProperty("operators")[0].TimeOf("last_use"), now.AddMinutes(-1), now.AddMinutes(5));
    }

    [Fact]
    public async Task Two_nodes_count_together_and_neither_an_outage_of_Redis_nor_a_restart_loses_a_count()
    {
        await using var redis = new OwnRedis();
        await redis.StartAsync(persistent: true);
        await using var world = await World.WithoutGatewayAsync(clock: null, [.. Purging.Operator,
            .. World.DefaultAccount, ("ConnectionStrings:Redis", redis.ConnectionString),
            ("Redis:Timeout", "00:00:01")]);
        var other = world.AddGateway();
        await using var first = await GatewayProcess.StartAsync(world.Environment());
        await AskAsync(first, 10);
        await AskAsync(other, 5);
        await UntilAsync(other, 15);

        await redis.KillAsync();
        await Wait.UntilAsync(TimeSpan.FromSeconds(20), async () =>
            (await Reports.GetAsync(other, "admin/usage")).Of("scope") == "node", "Redis is away");
        await AskAsync(first, 20);
        await AskAsync(other, 7);
        Assert.Equal("12", TeamOf(await Reports.GetAsync(other, "admin/usage"), "mapping").Of("total.requests"));
        await redis.StartAsync(persistent: true);
        await UntilAsync(other, 42);

        // A node that stops adds the rest, and a node that starts knows the week.
        await AskAsync(first, 3);
        first.Signal("TERM");
        await UntilAsync(other, 45);
        await using var second = await GatewayProcess.StartAsync(world.Environment());
        using var client = second.Client(Purging.OperatorKey);
        var report = JsonElement.Parse(await client.GetStringAsync(
            new Uri("admin/usage?hours=168", UriKind.Relative), World.Cancellation));
        Assert.Equal(("cluster", "45", "45"), (report.Of("scope"), TeamOf(report, "mapping").Of("total.requests"),
            TeamOf(report, "mapping").Of("total.permits")));
        Assert.Equal("1", TeamOf(report, "mapping").Of("total.upstream_calls"));

        // An hour lives for eight days, and then no longer counts.
        var hour = $"gateway:{{usage}}:{DateTimeOffset.UtcNow:yyyy-MM-dd'T'HH}";
        var left = TimeSpan.FromMilliseconds((long)(await redis.CommandAsync("PTTL", hour))!);
        Assert.InRange(left, TimeSpan.FromDays(7.9), TimeSpan.FromDays(8));
        await redis.CommandAsync("PEXPIRE", hour, 1);
        await Wait.UntilAsync(TimeSpan.FromSeconds(20), async () =>
            TeamOf(await Reports.GetAsync(other, "admin/usage"), "mapping").Of("total.requests") == "0", "it vanishes");
    }

    [Fact]
    public async Task A_poll_of_a_watched_job_counts_for_the_team_and_the_stream_for_the_key()
    {
        await using var world = await World.StartAsync(Purging.Operator);
        await using (var stream = await EventReader.OpenAsync(world.Gateway, EventReader.PathOf("run-300")))
        {
            await Wait.UntilAsync(TimeSpan.FromSeconds(20), async () => TeamOf(
                await Reports.GetAsync(world.Gateway, "admin/usage"), "mapping").Of("without_key.upstream_calls")
                    is not "0", "the poll is counted");
        }

        await Wait.UntilAsync(TimeSpan.FromSeconds(20), async () => KeyOf(TeamOf(
            await Reports.GetAsync(world.Gateway, "admin/usage"), "mapping"), "mapping-test").Of("total")
                == Figures(1, 1, 0, 0), "the stream is counted when it ends");
    }

    [Fact]
    public async Task A_batch_whose_reply_was_lost_counts_once()
    {
        await using var redis = new OwnRedis();
        await redis.StartAsync();
        Task<RedisResult?> AddAsync(string node, int batch, string counts) => redis.CommandAsync("EVAL",
            ScriptFile.Read("add-usage"), 2, "hour", "last", node, batch, 60, 0, "key team", counts, 100);

        foreach (var batch in (int[])[1, 1, 2, 2]) await AddAsync("one", batch, "1 2 0 9007199254740990");
        await AddAsync("other", 1, "10 0 3 0");

        Assert.Equal("12 4 3 18014398509481980", $"{await redis.CommandAsync("HGET", "hour", "key team")}");
        Assert.Equal("100", $"{await redis.CommandAsync("ZSCORE", "last", "key team")}");
    }

    private static async Task AskAsync(GatewayNode node, int times)
    {
        for (var i = 0; i < times; i++)
        {
            using var answer = await World.GetAsync(node, "finished-1");
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        }
    }

    private static async Task AskAsync(GatewayProcess node, int times)
    {
        using var client = node.Client();
        for (var i = 0; i < times; i++)
        {
            Assert.Equal(HttpStatusCode.OK,
                await GatewayProcess.StatusOf(client, "v0/workflows/survey-1/jobs/finished-1"));
        }
    }

    private static Task UntilAsync(GatewayNode node, int requests) =>
        Wait.UntilAsync(TimeSpan.FromSeconds(30), async () =>
        {
            var report = await Reports.GetAsync(node, "admin/usage?team=mapping");
            Assert.InRange(int.Parse(TeamOf(report, "mapping").Of("total.requests")!,
                System.Globalization.CultureInfo.InvariantCulture), 0, requests);
            return report.Of("scope") == "cluster"
                && TeamOf(report, "mapping").Of("total.requests") == $"{requests}";
        }, $"{requests} requests are counted");

    private static JsonElement TeamOf(JsonElement report, string team) =>
        report.GetProperty("teams").EnumerateArray().Single(one => one.Of("team") == team);

    private static JsonElement KeyOf(JsonElement team, string id) =>
        team.GetProperty("keys").EnumerateArray().Single(key => key.Of("id") == id);

    private static string Figures(int requests, int permits, int refused, int calls) => Totals
        .Replace("REQUESTS", $"{requests}", StringComparison.Ordinal)
        .Replace("PERMITS", $"{permits}", StringComparison.Ordinal)
        .Replace("REFUSED", $"{refused}", StringComparison.Ordinal)
        .Replace("CALLS", $"{calls}", StringComparison.Ordinal);
}

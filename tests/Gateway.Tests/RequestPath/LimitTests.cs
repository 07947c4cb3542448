using System.Diagnostics;
using System.Net;
using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.RequestPath;

public sealed class LimitTests
{
    [Fact]
    public async Task A_burst_beyond_the_quota_is_429_with_Retry_After()
    {
        await using var world = await TinyQuotaAsync(requests: 6, window: "00:01:00", burst: 3);
        var answers = new List<HttpResponseMessage>();
        for (var i = 0; i < 4; i++) answers.Add(await world.GetAsync("finished-1"));

        Assert.All(answers[..3], answer => Assert.Equal(HttpStatusCode.OK, answer.StatusCode));
        Assert.Equal(["\"tiny\";r=2;t=10", "\"tiny\";r=1;t=10", "\"tiny\";r=0;t=10", "\"tiny\";r=0;t=10"],
            answers.Select(answer => answer.Headers.GetValues("RateLimit").Single()));
        Assert.All(answers, answer =>
            Assert.Equal("\"tiny\";q=6;w=60", answer.Headers.GetValues("RateLimit-Policy").Single()));
        Assert.Equal(HttpStatusCode.TooManyRequests, answers[3].StatusCode);
        Assert.Equal(TimeSpan.FromSeconds(10), answers[3].Headers.RetryAfter!.Delta);
        var problem = await BoundTests.ProblemAsync(answers[3]);
        Assert.Equal("https://iana.org/assignments/http-problem-types#quota-exceeded", problem.GetProperty("type")
            .GetString());
        Assert.Equal("tiny", problem.GetProperty("violated-policies")[0].GetString());
        answers.ForEach(answer => answer.Dispose());
    }

    [Fact]
    public async Task A_quota_of_one_team_does_not_limit_another_team()
    {
        await using var world = await TinyQuotaAsync(requests: 1, window: "01:00:00", burst: 1);
        using var first = await world.GetAsync("finished-1");
        using var refused = await world.GetAsync("finished-1");
        using var other = await world.GetAsync("finished-1", key: World.SurveyKey);
        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        Assert.Equal(HttpStatusCode.OK, other.StatusCode);
    }

    [Fact]
    public async Task Permits_are_refilled_over_time()
    {
        await using var world = await TinyQuotaAsync(requests: 5, window: "00:00:01", burst: 1);
        using var first = await world.GetAsync("finished-1");
        var waiting = Stopwatch.StartNew();
        HttpStatusCode status;
        do
        {
            using var next = await world.GetAsync("finished-1");
            status = next.StatusCode;
        }
        while (status == HttpStatusCode.TooManyRequests && waiting.Elapsed < TimeSpan.FromSeconds(20));
        Assert.Equal(HttpStatusCode.OK, status);
    }

    [Fact]
    public async Task A_retry_after_Retry_After_succeeds()
    {
        await using var world = await TinyQuotaAsync(requests: 2, window: "00:00:01", burst: 1);
        using var first = await world.GetAsync("finished-1");
        using var refused = await world.GetAsync("finished-1");
        await Task.Delay(refused.Headers.RetryAfter!.Delta!.Value, World.Cancellation);
        using var retry = await world.GetAsync("finished-1");
        Assert.Equal((HttpStatusCode.TooManyRequests, HttpStatusCode.OK), (refused.StatusCode, retry.StatusCode));
    }

    [Fact]
    public async Task Every_quota_of_the_team_and_of_the_key_limits_a_request()
    {
        await using var world = await World.StartAsync(
            ("Quotas:burst:Requests", "6"), ("Quotas:burst:Burst", "5"), ("Quotas:sustained:Requests", "60"),
            ("Quotas:sustained:Burst", "4"),
            ("Quotas:own:Requests", "12"), ("Quotas:own:Burst", "2"), ("Teams:mapping:Quota", "burst sustained"),
            ("Teams:mapping:ApiKeys:0:Quota", "own"),
            ("Teams:mapping:ApiKeys:1:Id", "other"), ("Teams:mapping:ApiKeys:1:Sha256", World.Sha256("other-key")));
        var answers = new List<HttpResponseMessage>();
        for (var i = 0; i < 3; i++) answers.Add(await world.GetAsync("finished-1"));
        for (var i = 0; i < 3; i++) answers.Add(await world.GetAsync("finished-1", key: "other-key"));

        Assert.Equal([200, 200, 429, 200, 200, 429], answers.Select(answer => (int)answer.StatusCode));
        Assert.Equal("\"burst\";q=6;w=60, \"sustained\";q=60;w=60, \"own\";q=12;w=60",
            answers[0].Headers.GetValues("RateLimit-Policy").Single());
        Assert.Equal("\"burst\";r=4;t=10, \"sustained\";r=3;t=1, \"own\";r=1;t=5",
            answers[0].Headers.GetValues("RateLimit").Single());
        Assert.Equal(("own", TimeSpan.FromSeconds(5)), await ViolatedAsync(answers[2]));
        Assert.Equal("\"burst\";q=6;w=60, \"sustained\";q=60;w=60",
            answers[5].Headers.GetValues("RateLimit-Policy").Single());
        Assert.Equal(("sustained", TimeSpan.FromSeconds(1)), await ViolatedAsync(answers[5]));
        answers.ForEach(answer => answer.Dispose());

        static async Task<(string?, TimeSpan?)> ViolatedAsync(HttpResponseMessage answer) =>
            (Assert.Single((await BoundTests.ProblemAsync(answer)).GetProperty("violated-policies").EnumerateArray()
                .ToList()).GetString(), answer.Headers.RetryAfter?.Delta);
    }

    [Fact]
    public async Task An_unrelated_configuration_change_does_not_refill_a_quota()
    {
        await using var world = await TinyQuotaAsync(requests: 1, window: "01:00:00", burst: 1);
        using var first = await world.GetAsync("finished-1");
        world.Gateway.Reconfigure(("Teams:survey:Workflows:0", "x-*"));
        using var refused = await world.GetAsync("finished-1");
        world.Gateway.Reconfigure(("Quotas:tiny:Burst", "2"));

        using var raised = await world.GetAsync("finished-1");

        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        Assert.Equal(HttpStatusCode.OK, raised.StatusCode);
    }

    [Fact]
    public async Task The_quota_fields_are_sent_with_304_and_upstream_errors()
    {
        await using var world = await World.StartAsync();
        using var missing = await world.GetAsync("missing");
        using var found = await world.GetAsync("finished-1");
        using var same = await world.GetAsync("finished-1", headers: ("If-None-Match", found.Headers.ETag!.ToString()));
        Assert.True(missing.Headers.Contains("RateLimit") && missing.Headers.Contains("RateLimit-Policy"));
        Assert.True(same.Headers.Contains("RateLimit") && same.Headers.Contains("RateLimit-Policy"));
    }

    private static Task<World> TinyQuotaAsync(int requests, string window, int burst) => World.StartAsync(
        ("Teams:mapping:Quota", "tiny"),
        ("Quotas:tiny:Requests", $"{requests}"),
        ("Quotas:tiny:Window", window),
        ("Quotas:tiny:Burst", $"{burst}"));
}

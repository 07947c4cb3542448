using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.RequestPath;

/// <summary>How a real browser caches a job, and what a page sees that polls with plain <c>fetch</c>.</summary>
public sealed class BrowserCopyTests(Browser browser)
{
    private static readonly TimeSpan MaxDelay = TimeSpan.FromSeconds(5);

    [Fact]
    public async Task A_page_that_polls_every_two_seconds_sees_the_end_within_five_seconds()
    {
        const string Job = "run-3600-a";
        var origin = await TestPage.StartAsync();
        await using var page = await JobPage.OpenAsync(browser, origin);
        await using var world = await World.StartAsync(JobPage.Allow(origin));
        await page.StartPollingAsync(JobPage.UrlOf(world.Gateway.Address, Job));
        await Wait.UntilAsync(
            TimeSpan.FromSeconds(30), async () => (await page.PollsAsync()).Length >= 2, "two polls are answered");

        await LongJob.EndAsync(world, Job);
        var ended = DateTimeOffset.UtcNow;
        await Wait.UntilAsync(
            TimeSpan.FromSeconds(45), async () => (await page.PollsAsync()).Any(HasEnded), "the page sees the end");

        var polls = await page.PollsAsync();
        var late = DateTimeOffset.FromUnixTimeMilliseconds(polls.First(HasEnded).At) - ended;
        Assert.True(late <= MaxDelay + Promptness.Grace, $"{late} late:\n{string.Join('\n', polls.AsEnumerable())}");
    }

    /// <summary>F5, Ctrl-F5 (bypasses the cache while the page loads), and navigation back from another page.</summary>
    [Theory]
    [InlineData("reload")]
    [InlineData("hard reload")]
    [InlineData("back")]
    public async Task A_page_that_is_reloaded_or_returned_to_shows_the_current_status(string how)
    {
        const string Job = "run-3600-b";
        var origin = await TestPage.StartAsync();
        await using var page = await JobPage.OpenAsync(browser, origin);
        await using var world = await World.StopClockAsync(JobPage.Allow(origin));
        origin.Body = JobPage.ShowsOnLoad(JobPage.UrlOf(world.Gateway.Address, Job));
        await page.Tab.Page.GotoAsync(origin.Address.AbsoluteUri);
        Assert.Equal("queued", await ShownAsync(page));

        await LongJob.EndAsync(world, Job);
        world.Clock!.Advance(TimeSpan.FromSeconds(3));
        if (how == "back")
        {
            await page.Tab.Page.GotoAsync(new Uri(world.Gateway.Address, "docs/index.html").AbsoluteUri);
            await page.Tab.Page.GoBackAsync();
        }
        else
        {
            var session = await page.Tab.Context.NewCDPSessionAsync(page.Tab.Page);
            var arguments = new Dictionary<string, object> { ["ignoreCache"] = how == "hard reload" };
            await page.Tab.Page.RunAndWaitForResponseAsync(
                () => session.SendAsync("Page.reload", arguments), answer => answer.Url == origin.Address.AbsoluteUri);
        }
        Assert.Equal("completed", await ShownAsync(page));
    }

    [Fact]
    public async Task Each_poll_of_a_running_job_reaches_the_gateway_and_an_unchanged_job_costs_a_304()
    {
        var origin = await TestPage.StartAsync();
        await using var page = await JobPage.OpenAsync(browser, origin);
        await using var world = await World.StopClockAsync(JobPage.Allow(origin));
        using var requests = new GatewayRequests(world.Gateway);
        var url = JobPage.UrlOf(world.Gateway.Address, "run-3600-c");

        var polls = new List<JobPage.Poll>();
        for (var i = 0; i < 4; i++) polls.Add(await page.AskAsync(url));

        await requests.UntilAsync(4, "GET");
        Assert.Equal((1, 3), (await requests.CountAsync("GET", 200), await requests.CountAsync("GET", 304)));
        // The page receives the browser's copy for a 304.
        Assert.All(polls, poll => Assert.Equal((200, polls[0].Job, polls[0].ETag), (poll.Http, poll.Job, poll.ETag)));

        world.Clock!.Advance(TimeSpan.FromSeconds(3));
        await LongJob.EndAsync(world, "run-3600-c");
        var last = await page.AskAsync(url);
        Assert.Equal("completed", last.Job);
        Assert.NotEqual(polls[0].ETag, last.ETag);
    }

    [Fact]
    public async Task The_headers_of_a_304_replace_those_of_the_browsers_copy()
    {
        var origin = await TestPage.StartAsync();
        await using var page = await JobPage.OpenAsync(browser, origin);
        await using var world = await World.StopClockAsync(
            JobPage.Allow(origin), ("Jobs:RunningLifetime", "00:00:04"),
            ("Jobs:MinPollInterval", "00:00:20"), ("Jobs:MaxPollInterval", "00:00:20"),
            ("Quotas:plenty:Requests", "100"), ("Quotas:plenty:Burst", "100"), ("Quotas:plenty:Window", "1.00:00:00"));
        using var requests = new GatewayRequests(world.Gateway);
        var url = JobPage.UrlOf(world.Gateway.Address, "run-3600-d");
        var first = await page.AskAsync(url);
        var fetched = System.Text.Encoding.UTF8.GetString(await world.UpstreamBytesAsync("run-3600-d"));
        world.Clock!.Advance(TimeSpan.FromSeconds(3));
        world.Gateway.Reconfigure(("Jobs:MinPollInterval", "00:00:07"), ("Jobs:MaxPollInterval", "00:00:07"));
        var hit = await page.AskAsync(url);
        // The job has not changed, so the answer is a 304 for the newly fetched job.
        world.Upstream.Faults.Add(new Simulator.Fault
        {
            Kind = Simulator.FaultKind.Status,
            Status = 200,
            Body = fetched,
        });
        world.Clock.Advance(TimeSpan.FromSeconds(3));
        var forwarded = await page.AskAsync(url);

        await requests.UntilAsync(2, "GET", 304);
        Assert.Equal(("20", "7", "7"), (first.RetryAfter, hit.RetryAfter, forwarded.RetryAfter));
        Assert.Equal(("Gateway; hit; ttl=1", "3"), (hit.CacheStatus, hit.Age));
        Assert.Equal(("Gateway; fwd=stale; fwd-status=200; stored", "0"), (forwarded.CacheStatus, forwarded.Age));
        Assert.StartsWith("\"plenty\";r=99;", first.RateLimit, StringComparison.Ordinal);
        Assert.StartsWith("\"plenty\";r=98;", hit.RateLimit, StringComparison.Ordinal);
        Assert.StartsWith("\"plenty\";r=97;", forwarded.RateLimit, StringComparison.Ordinal);
        Assert.All([first, hit, forwarded], poll => Assert.Equal("private, no-cache", poll.CacheControl));
    }

    [Fact]
    public async Task A_finished_job_is_read_from_the_browsers_copy()
    {
        var origin = await TestPage.StartAsync();
        await using var page = await JobPage.OpenAsync(browser, origin);
        await using var world = await World.StartAsync(JobPage.Allow(origin));
        using var requests = new GatewayRequests(world.Gateway);
        var url = JobPage.UrlOf(world.Gateway.Address, "finished-1");
        for (var i = 0; i < 5; i++) Assert.Equal("completed", (await page.AskAsync(url)).Job);
        using var own = await world.GetAsync("finished-1");
        await requests.UntilAsync(2, "GET");
        Assert.Equal(2, await requests.CountAsync("GET"));
    }

    /// <summary>The answer varies by Origin, so the browser's copy for one page is not used for the other.</summary>
    [Theory]
    [InlineData("finished-1", "completed")]
    [InlineData("run-3600-e", "queued")]
    public async Task Pages_of_two_allowed_origins_in_one_browser_both_read_a_job(string job, string status)
    {
        await using var neighbour = await TestPage.StartAsync();
        var origin = await TestPage.StartAsync();
        await using var page = await JobPage.OpenAsync(browser, origin);
        await using var world = await World.StopClockAsync(
            JobPage.Allow(origin), ("Cors:AllowedOrigins:1", neighbour.Address.GetLeftPart(UriPartial.Authority)));
        var url = JobPage.UrlOf(world.Gateway.Address, job);
        foreach (var one in (TestPage[])[origin, neighbour, origin])
        {
            await page.Tab.Page.GotoAsync(one.Address.AbsoluteUri);
            Assert.Equal((200, status), (await page.AskAsync(url)) is var poll ? (poll.Http, poll.Job) : default);
        }
    }

    private static bool HasEnded(JobPage.Poll poll) => poll.Job == "completed";

    private static async Task<string> ShownAsync(JobPage page)
    {
        await page.Tab.Page.WaitForFunctionAsync("() => document.title !== 'Page'", null, new() { Timeout = 30_000 });
        return await page.Tab.Page.TitleAsync();
    }
}

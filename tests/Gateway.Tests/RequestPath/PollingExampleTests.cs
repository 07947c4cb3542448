using System.Text.RegularExpressions;
using Gateway.Tests.Infrastructure;
using Simulator;

namespace Gateway.Tests.RequestPath;

/// <summary>Runs the polling example of <c>docs/clients.md</c> in a real browser on another origin.</summary>
public sealed partial class PollingExampleTests(Browser browser)
{
    [Fact]
    public async Task The_example_follows_a_job_to_its_end_with_one_preflight()
    {
        var origin = await TestPage.StartAsync();
        await using var page = await JobPage.OpenAsync(browser, origin);
        await using var world = await World.StartAsync(
            JobPage.Allow(origin), ("Jobs:RunningLifetime", "00:00:00.5"),
            ("Jobs:MinPollInterval", "00:00:01"), ("Jobs:MaxPollInterval", "00:00:01"));
        using var requests = new GatewayRequests(world.Gateway);
        await StartAsync(page, world, "run-3600-a");
        await requests.UntilAsync(4, "GET");
        // The upstream fails briefly, and the last snapshot answers meanwhile.
        world.Upstream.Faults.Add(new Fault { Job = "run-3600-a", Kind = FaultKind.Status, Status = 503, Times = 2 });
        await LongJob.EndAsync(world, "run-3600-a");

        Assert.Equal("completed", await EndAsync(page));
        var shown = await page.Tab.Page.EvaluateAsync<string[]>("() => window.shown");
        Assert.Equal(["queued", "completed"], shown.Distinct());
        Assert.Equal(1, await requests.CountAsync("OPTIONS"));
    }

    [Fact]
    public async Task The_example_retries_after_failures_and_respects_Retry_After()
    {
        var origin = await TestPage.StartAsync();
        await using var page = await JobPage.OpenAsync(browser, origin);
        await using var world = await World.StartAsync(JobPage.Allow(origin));
        using var requests = new GatewayRequests(world.Gateway);
        world.Upstream.Faults.Add(new Fault { Kind = FaultKind.Status, RetryAfter = "2", Times = 1 });
        await StartAsync(page, world, "finished-1");
        Assert.Equal("completed", await EndAsync(page));
        Assert.Equal((1, 1), (await requests.CountAsync("GET", 503), await requests.CountAsync("GET", 200)));
    }

    [Fact]
    public async Task The_example_stops_at_an_error_that_a_retry_cannot_fix()
    {
        var origin = await TestPage.StartAsync();
        await using var page = await JobPage.OpenAsync(browser, origin);
        await using var world = await World.StartAsync(JobPage.Allow(origin));
        await StartAsync(page, world, "missing");
        Assert.Equal("/problems/job-not-found", await EndAsync(page));
    }

    private static async Task StartAsync(JobPage page, World world, string job) =>
        await page.Tab.Page.EvaluateAsync($$"""
        ([url, key]) => {
            {{Example()}}
            window.shown = [];
            follow(url, { headers: { 'X-Api-Key': key } }, job => window.shown.push(job.status))
                .then(job => window.end = job.status, problem => window.end = problem.type);
        }
        """, new object[] { JobPage.UrlOf(world.Gateway.Address, job).AbsoluteUri, World.MappingKey });

    private static async Task<string> EndAsync(JobPage page)
    {
        await page.Tab.Page.WaitForFunctionAsync("() => window.end", null, new() { Timeout = 60_000 });
        return await page.Tab.Page.EvaluateAsync<string>("() => window.end");
    }

    private static string Example()
    {
        var text = File.ReadAllText(Path.Combine(Repository.Root, "docs", "clients.md"));
        return Assert.Single(Scripts().Matches(text)).Groups[1].Value;
    }

    [GeneratedRegex("^```js\n(.*?)^```", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex Scripts();
}

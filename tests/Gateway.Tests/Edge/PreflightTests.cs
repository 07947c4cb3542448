using System.Globalization;
using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.Edge;

/// <summary>
/// Counts, at the gateway, the preflights (Fetch, section 4.8) of a page on another origin that polls.
/// </summary>
public sealed class PreflightTests(Browser browser)
{
    [Theory]
    [InlineData(1, 12)]
    [InlineData(5, 4)]
    public async Task Polling_costs_one_preflight_per_job_and_none_per_poll(int jobs, int polls)
    {
        var origin = await TestPage.StartAsync();
        await using var page = await JobPage.OpenAsync(browser, origin);
        await using var world = await World.StopClockAsync(JobPage.Allow(origin));
        using var requests = new GatewayRequests(world.Gateway);
        for (var poll = 0; poll < polls; poll++)
        {
            for (var job = 0; job < jobs; job++)
            {
                await page.AskAsync(JobPage.UrlOf(world.Gateway.Address, $"run-3600-{job}"));
            }
            world.Clock!.Advance(TimeSpan.FromSeconds(2));
        }
        await requests.UntilAsync(jobs * polls, "GET");
        Assert.Equal((jobs, jobs * polls), (await requests.CountAsync("OPTIONS"), await requests.CountAsync("GET")));
    }

    [Fact]
    public async Task Headers_of_tracing_tools_cost_no_further_preflight_and_the_date_of_an_answer_is_readable()
    {
        var origin = await TestPage.StartAsync();
        await using var page = await JobPage.OpenAsync(browser, origin);
        await using var world = await World.StopClockAsync(JobPage.Allow(origin));
        using var requests = new GatewayRequests(world.Gateway);
        var url = JobPage.UrlOf(world.Gateway.Address, "run-3600-a").AbsoluteUri;

        // Such a tool gives each request other values.
        var dates = await page.Tab.Page.EvaluateAsync<string[]>("""
            async ([url, key]) => {
                const dates = [];
                for (let poll = 0; poll < 5; poll++) {
                    const headers = {
                        'X-Api-Key': key, baggage: `poll=${poll}`, 'sentry-trace': `${poll}`, 'X-Request-ID': `${poll}`,
                        'x-datadog-trace-id': `${poll}`, newrelic: `${poll}`, b3: `${poll}`,
                    };
                    const answer = await fetch(url, { headers });
                    await answer.text();
                    dates.push(answer.headers.get('Date'));
                }
                return dates;
            }
            """, new[] { url, World.MappingKey });

        Assert.All(dates,
            date => Assert.True(DateTimeOffset.TryParse(date, CultureInfo.InvariantCulture, out _), date));
        Assert.Equal((1, 5), (await requests.CountAsync("OPTIONS"), await requests.CountAsync("GET")));
        Assert.Empty(page.Tab.ConsoleErrors);
    }

    [Fact]
    public async Task A_header_that_is_not_allowed_fails_the_call_unless_every_header_is_allowed()
    {
        var origin = await TestPage.StartAsync();
        await using var page = await JobPage.OpenAsync(browser, origin);
        await using var world = await World.StartAsync(JobPage.Allow(origin));
        var url = JobPage.UrlOf(world.Gateway.Address, "finished-1").AbsoluteUri;
        const string Ask = """
            async ([url, key]) => {
                const headers = { 'X-Api-Key': key, 'uberctx-user': 'u' };
                try { return (await fetch(url, { headers })).status; } catch { return 0; }
            }
            """;

        Assert.Equal(0, await page.Tab.Page.EvaluateAsync<int>(Ask, new[] { url, World.MappingKey }));
        world.Gateway.Reconfigure(("Cors:AllowedHeaders:0", "*"));
        Assert.Equal(200, await page.Tab.Page.EvaluateAsync<int>(Ask, new[] { url, World.MappingKey }));
    }

    // The clients' guide advises against both.
    [Theory]
    [InlineData("no-cache", false)]
    [InlineData("no-store", false)]
    [InlineData(null, true)]
    public async Task A_cache_mode_or_a_validator_set_by_the_script_costs_a_preflight_per_poll(
        string? cache, bool validator)
    {
        var origin = await TestPage.StartAsync();
        await using var page = await JobPage.OpenAsync(browser, origin);
        await using var world = await World.StopClockAsync(JobPage.Allow(origin));
        using var requests = new GatewayRequests(world.Gateway);
        var url = JobPage.UrlOf(world.Gateway.Address, "run-3600-a");
        for (var poll = 0; poll < 5; poll++) await page.AskAsync(url, cache, validator ? "\"none\"" : null);
        await requests.UntilAsync(5, "GET");
        await requests.UntilAsync(5, "OPTIONS");
        Assert.Equal(5, await requests.CountAsync("OPTIONS"));
    }
}

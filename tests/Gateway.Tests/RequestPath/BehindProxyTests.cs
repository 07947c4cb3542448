using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.RequestPath;

/// <summary>A real browser reaches the gateway through an nginx that changes answers as common proxies do.</summary>
public sealed class BehindProxyTests(Browser browser)
{
    // nginx compresses, and turns the strong entity tag into a weak one.
    private const string Weak = """
        proxy_set_header Accept-Encoding "";
        gzip on;
        gzip_proxied any;
        gzip_types application/json;
        """;

    // nginx adds the suffix that other proxies add to entity tags.
    private const string Suffix = """
        proxy_set_header Accept-Encoding "";
        proxy_hide_header ETag;
        add_header ETag $marked;
        """;

    [Theory]
    // nginx passes the gateway's own codings through.
    [InlineData("", "\"", null)]
    [InlineData("proxy_set_header Accept-Encoding gzip;", "\"", null)]
    [InlineData(Weak, "W/\"", null)]
    [InlineData(Suffix, "\"", "-gzip")]
    [InlineData(Suffix, "\"", "--gzip")]
    [InlineData(Suffix, "\"", ";gz")]
    public async Task A_proxy_that_changes_entity_tags_still_gets_a_304_for_an_unchanged_job(
        string location, string begin, string? mark)
    {
        var origin = await TestPage.StartAsync();
        await using var page = await JobPage.OpenAsync(browser, origin);
        await using var world = await World.StopClockAsync(JobPage.Allow(origin));
        var marked = $$"""
            map $upstream_http_etag $marked { "~^\"(?<opaque>.*)\"$" "\"$opaque{{mark}}\""; }
            """;
        await using var nginx = await NginxProxy.StartAsync(world.Gateway.Address, location, marked);
        using var requests = new GatewayRequests(world.Gateway);
        var url = JobPage.UrlOf(nginx.Address, "run-3600-a");

        var first = await page.AskAsync(url);
        var second = await page.AskAsync(url);
        await requests.UntilAsync(2, "GET");
        Assert.Equal((1, 1), (await requests.CountAsync("GET", 200), await requests.CountAsync("GET", 304)));
        world.Clock!.Advance(TimeSpan.FromSeconds(3));
        await LongJob.EndAsync(world, "run-3600-a");
        var last = await page.AskAsync(url);

        Assert.Equal((200, first.Job, first.ETag), (second.Http, second.Job, second.ETag));
        Assert.StartsWith(begin, first.ETag, StringComparison.Ordinal);
        Assert.EndsWith($"{mark}\"", first.ETag, StringComparison.Ordinal);
        Assert.Equal("completed", last.Job);
    }
}

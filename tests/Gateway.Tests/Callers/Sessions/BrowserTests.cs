using System.Collections.Concurrent;
using System.Text.Json;
using Gateway.Callers.Sessions;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.Infrastructure.Identity;
using Microsoft.Playwright;

namespace Gateway.Tests.Callers.Sessions;

/// <summary>
/// Tests what a page can do and what it cannot read, with a real browser, an identity provider and two gateway
/// processes with one Redis.
/// </summary>
[Trait("Redis", "one")]
public sealed class BrowserTests(Browser browser, RedisServer redis) : IAsyncLifetime
{
    private const string Job = "v0/workflows/survey-1/jobs/finished-1";

    /// <summary>
    /// Fetches as a page does. Returns the status and the body, or "blocked" if the browser hides them from the page.
    /// </summary>
    private const string Fetch = """
        async ([url, method, csrf]) => {
            try {
                const headers = csrf ? { 'X-CSRF': '1' } : {};
                const answer = await fetch(url, { method, credentials: 'include', headers });
                return answer.status + ' ' + await answer.text();
            } catch {
                return 'blocked';
            }
        }
        """;

    private const string OpenEvents = """
        url => new Promise(done => {
            const source = new EventSource(url, { withCredentials: true });
            source.onopen = () => { source.close(); done('open'); };
            source.onerror = () => { source.close(); done('blocked'); };
        })
        """;

    /// <summary>Everything that a script of the page can read without a request.</summary>
    private const string Readable = """
        () => JSON.stringify([
            document.cookie, { ...localStorage }, { ...sessionStorage }, document.documentElement.outerHTML,
            location.href])
        """;

    private readonly Certificate _certificate = new();
    private readonly ConcurrentQueue<Task<string>> _seen = new();
    private IdentityProvider _provider = null!;
    private World _world = null!;
    private TestPage _page = null!;
    private GatewayProcess _one = null!, _two = null!;

    public async ValueTask InitializeAsync()
    {
        _provider = await IdentityProvider.StartedAsync();
        _page = await TestPage.StartAsync(https: _certificate);
        _world = await World.WithoutGatewayAsync(clock: null, UserWorld.Settings(_provider,
            ("ConnectionStrings:Redis", redis.ConnectionString), ("Cors:AllowedOrigins:0", Origin(_page.Address)),
            ("Logging:LogLevel:Default", "Information"),
            // A log of all requests would contain the authorization code.
            ("Logging:LogLevel:Microsoft.AspNetCore", "Warning")));
        _one = await StartAsync();
        _two = await StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (_one is not null) await _one.DisposeAsync();
        if (_two is not null) await _two.DisposeAsync();
        await _page.DisposeAsync();
        await _world.DisposeAsync();
        await _provider.DisposeAsync();
        _certificate.Dispose();
    }

    [Fact]
    public async Task A_page_reads_jobs_with_a_session_on_any_node_until_logout_and_sees_no_secret()
    {
        await using var tab = await browser.OpenAsync();
        Watch(tab.Page);
        await tab.Page.GotoAsync(_page.Address.AbsoluteUri);
        Assert.StartsWith("401 ", await FetchAsync(tab, _one, "bff/user"), StringComparison.Ordinal);

        await LogInAsync(tab, "alice");

        Assert.StartsWith(_page.Address.AbsoluteUri, tab.Page.Url, StringComparison.Ordinal);
        var job = await FetchAsync(tab, _one, Job);
        Assert.StartsWith("200 ", job, StringComparison.Ordinal);
        Assert.Equal("finished-1", JsonElement.Parse(job[4..]).GetProperty("id").GetString());
        Assert.Contains("\"teams\":[\"mapping\"]", await FetchAsync(tab, _one, "bff/user"), StringComparison.Ordinal);
        Assert.Contains("csrf-header-required", await FetchAsync(tab, _one, Job, csrf: false),
            StringComparison.Ordinal);

        // The session works on the other node, and after a restart of all nodes.
        Assert.StartsWith("200 ", await FetchAsync(tab, _two, Job), StringComparison.Ordinal);
        var (onePort, twoPort) = (_one.Address.Port, _two.Address.Port);
        await _one.DisposeAsync();
        await _two.DisposeAsync();
        (_one, _two) = (await StartAsync(onePort), await StartAsync(twoPort));
        Assert.StartsWith("200 ", await FetchAsync(tab, _two, Job), StringComparison.Ordinal);
        Assert.StartsWith("200 ", await FetchAsync(tab, _one, Job), StringComparison.Ordinal);

        // A page of the gateway itself needs no CORS.
        await tab.Page.GotoAsync(new Uri(_one.Address, "docs/index.html").AbsoluteUri);
        Assert.StartsWith("200 ", await FetchAsync(tab, _one, Job), StringComparison.Ordinal);
        await AssertNothingToSeeAsync(tab);

        await tab.Page.GotoAsync(_page.Address.AbsoluteUri);
        await AssertNothingToSeeAsync(tab);
        var logout = await FetchAsync(
            tab, _one, $"bff/logout?returnUrl={Uri.EscapeDataString(_page.Address.AbsoluteUri + "bye")}", "POST");
        await tab.Page.GotoAsync(JsonElement.Parse(logout[4..]).GetProperty("logoutUrl").GetString()!);
        Assert.Equal(_page.Address.AbsoluteUri + "bye", tab.Page.Url);
        Assert.Single(_provider.Ledger.EndSessionCalls);
        foreach (var node in (GatewayProcess[])[_one, _two])
        {
            Assert.StartsWith("401 ", await FetchAsync(tab, node, Job), StringComparison.Ordinal);
            Assert.StartsWith("401 ", await FetchAsync(tab, node, "bff/user"), StringComparison.Ordinal);
        }
        // Another tab could have a login under way, for which the browser keeps a cookie for 15 minutes.
        var left = Assert.Single(await tab.Context.CookiesAsync([_one.Address.AbsoluteUri]));
        Assert.Equal((LoginCookie.Name, 43), (left.Name, left.Value.Length));
        await AssertNothingToSeeAsync(tab);
    }

    [Fact]
    public async Task The_session_cookie_is_hidden_from_scripts_and_not_sent_by_other_sites()
    {
        await using var tab = await browser.OpenAsync();
        await LogInAsync(tab, "alice");

        var cookie = Assert.Single(
            await tab.Context.CookiesAsync([_one.Address.AbsoluteUri]), cookie => cookie.Name == Visitor.SessionCookie);
        Assert.Equal((true, true, SameSiteAttribute.Strict, "/", "localhost"),
            (cookie.HttpOnly, cookie.Secure, cookie.SameSite, cookie.Path, cookie.Domain));

        await using var foreign = await TestPage.StartAsync();
        await using var neighbour = await TestPage.StartAsync(https: _certificate);
        var before = _world.Upstream.Ledger.Total;
        foreach (var origin in (TestPage[])[foreign, neighbour])
        {
            await tab.Page.GotoAsync(origin.Address.AbsoluteUri);
            Assert.Equal("blocked", await FetchAsync(tab, _one, Job));
            Assert.Equal("blocked", await FetchAsync(tab, _one, Job, csrf: false));
            Assert.Equal("blocked", await FetchAsync(tab, _one, "bff/logout", "POST"));
            Assert.Equal("blocked", await tab.Page.EvaluateAsync<string>(
                OpenEvents, new Uri(_one.Address, Job + "/events").AbsoluteUri));
            // These requests have no CORS preflight: a form and an image here, and a navigation below.
            await tab.Page.SetContentAsync($"""
                <form method="post" action="{new Uri(_one.Address, "bff/logout")}"><button id="post">x</button></form>
                <img src="{new Uri(_one.Address, Job)}">
                """);
            await tab.Page.Locator("#post").PressEnterAsync();
            Assert.Matches("csrf-header-required|unauthenticated", await tab.Page.ContentAsync());
        }
        var address = await tab.Page.GotoAsync(new Uri(_one.Address, Job).AbsoluteUri);
        Assert.Equal(403, address!.Status);
        var events = await tab.Page.GotoAsync(new Uri(_one.Address, Job + "/events").AbsoluteUri);
        Assert.Equal(403, events!.Status);
        Assert.Equal(before, _world.Upstream.Ledger.Total);

        // The session is still valid after all these attempts.
        await tab.Page.GotoAsync(_page.Address.AbsoluteUri);
        Assert.StartsWith("200 ", await FetchAsync(tab, _one, Job), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Another_site_cannot_frame_a_page_of_the_gateway()
    {
        await using var tab = await browser.OpenAsync();
        await using var foreign = await TestPage.StartAsync(
            $"<iframe src=\"{new Uri(_one.Address, "docs/index.html")}\"></iframe>");
        await tab.Page.GotoAsync(foreign.Address.AbsoluteUri);
        await Wait.UntilAsync(TimeSpan.FromSeconds(10),
            () => tab.ConsoleErrors.Any(error => error.Contains("frame-ancestors", StringComparison.Ordinal)
            || error.Contains("refused to connect", StringComparison.OrdinalIgnoreCase)
            || error.Contains("Framing", StringComparison.Ordinal)), "the browser blocks the frame");
    }

    private Task<GatewayProcess> StartAsync(int? port = null) => StartRegisteredAsync(port);

    private async Task<GatewayProcess> StartRegisteredAsync(int? port)
    {
        var gateway = await GatewayProcess.StartAsync(_world.Environment(), _certificate, port);
        _provider.Register(gateway.Address);
        return gateway;
    }

    private async Task LogInAsync(BrowserTab tab, string user)
    {
        await tab.Page.GotoAsync(
            new Uri(
                _one.Address, $"bff/login?returnUrl={Uri.EscapeDataString(_page.Address.AbsoluteUri)}").AbsoluteUri);
        await tab.Page.FillAsync("#user", user);
        await tab.Page.Locator("#sign-in").PressEnterAsync();
        await tab.Page.WaitForURLAsync(_page.Address.AbsoluteUri + "**");
    }

    private static Task<string> FetchAsync(
        BrowserTab tab, GatewayProcess node, string path, string method = "GET", bool csrf = true) =>
        tab.Page.EvaluateAsync<string>(Fetch, new object[] { new Uri(node.Address, path).AbsoluteUri, method, csrf });

    // Records what a script could read of a response: its URL, its headers except cookies, and its body.
    private void Watch(IPage page) => page.Response += (_, response) => _seen.Enqueue(Task.Run(async () =>
    {
        var headers = (await response.HeadersArrayAsync())
            .Where(header => !header.Name.Equals("Set-Cookie", StringComparison.OrdinalIgnoreCase));
        var body = response.Status is >= 300 and < 400 or 204 ? "" : await response.TextAsync();
        return $"{response.Url}\n{string.Join('\n', headers.Select(header => $"{header.Name}: {header.Value}"))}"
            + $"\n{body}";
    }));

    private async Task AssertNothingToSeeAsync(BrowserTab tab)
    {
        var readable = await tab.Page.EvaluateAsync<string>(Readable);
        Assert.StartsWith("[\"\",{},{},", readable, StringComparison.Ordinal);
        string[] secrets = [IdentityProvider.ClientSecret, World.MappingKey, Canary.Secret, .. _provider.Ledger.Tokens];
        Assert.NotEmpty(_provider.Ledger.Tokens);
        var seen = new List<string> { readable };
        foreach (var answer in _seen)
        {
            try
            {
                seen.Add(await answer);
            }
            catch (PlaywrightException)
            {
                // The page navigated away before the browser provided the body.
            }
        }
        Assert.All(
            seen, text => Assert.DoesNotContain(secrets, secret => text.Contains(secret, StringComparison.Ordinal)));
    }

    private static string Origin(Uri address) => address.GetLeftPart(UriPartial.Authority);
}

using System.Net;
using Gateway.Callers.Sessions;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.Infrastructure.Identity;
using Gateway.Tests.RequestPath;
using Microsoft.AspNetCore.WebUtilities;

namespace Gateway.Tests.Callers.Sessions;

/// <summary>Tests how a login ends that does not succeed, and the one cookie of logins.</summary>
public sealed class LoginResultTests : IAsyncLifetime
{
    private const string Html = "text/html,application/xhtml+xml,*/*;q=0.8";

    private IdentityProvider _provider = null!;

    public async ValueTask InitializeAsync() => _provider = await IdentityProvider.StartedAsync();

    public ValueTask DisposeAsync() => _provider.DisposeAsync();

    [Fact]
    public async Task A_person_who_cancels_gets_a_page_with_a_link_to_log_in_again()
    {
        await using var world = await UserWorld.StartAsync(_provider, ("PathBase", "/gw"));
        var gateway = new Uri(world.Gateway.Address, "gw/");
        _provider.Register(gateway);
        using var visitor = Visitor.Of(_provider);
        var cancelled = await CancelledAsync(visitor, gateway, "?returnUrl=%2Fapp%3Fx%3D1");

        using var answer = await visitor.GetAsync(cancelled, ("Accept", Html), ("Sec-Fetch-Mode", "navigate"));

        var html = await answer.Content.ReadAsStringAsync(World.Cancellation);
        Assert.Equal((HttpStatusCode.BadRequest, "text/html"),
            (answer.StatusCode, answer.Content.Headers.ContentType!.MediaType));
        Assert.Contains("<h1>You are not logged in</h1>", html, StringComparison.Ordinal);
        Assert.Contains("login-cancelled, 400, trace ", html, StringComparison.Ordinal);
        Assert.True(answer.Headers.CacheControl?.NoStore);
        var link = WebUtility.HtmlDecode(html.Split("<a href=\"")[1].Split('"')[0]);
        var again = new Uri(cancelled, link);
        Assert.Equal(new Uri(gateway, "bff/login").AbsolutePath, again.AbsolutePath);
        using var landed = await visitor.LogInAsync(_provider, gateway, query: again.Query);
        Assert.Equal("/app?x=1", landed.Headers.Location?.ToString());
    }

    [Theory]
    [InlineData("*/*", null)]
    [InlineData("application/json", null)]
    [InlineData("text/html;q=0, */*", null)]
    [InlineData(Html, "cors")]
    public async Task A_program_gets_the_problem(string accept, string? mode)
    {
        await using var world = await UserWorld.StartAsync(_provider);
        using var visitor = Visitor.Of(_provider);
        var cancelled = await CancelledAsync(visitor, world.Gateway.Address, "");
        (string, string)[] headers = mode is null
            ? [("Accept", accept)] : [("Accept", accept), ("Sec-Fetch-Mode", mode)];

        using var answer = await visitor.GetAsync(cancelled, headers);

        Assert.Equal("/problems/login-cancelled", await BoundTests.ProblemTypeAsync(answer));
    }

    [Theory]
    [InlineData("/app?x=1#part", "/app?x=1&login_error=login-cancelled#part")]
    [InlineData("https://app.example.com/start", "https://app.example.com/start?login_error=login-cancelled")]
    public async Task An_application_that_asks_for_it_gets_the_error_at_its_return_address(
        string returnUrl, string expected)
    {
        await using var world = await UserWorld.StartAsync(
            _provider, ("Cors:AllowedOrigins:0", "https://app.example.com"));
        using var visitor = Visitor.Of(_provider);
        var query = QueryHelpers.AddQueryString("", new Dictionary<string, string?>
        {
            ["returnUrl"] = returnUrl,
            ["onError"] = "return",
        });
        var cancelled = await CancelledAsync(visitor, world.Gateway.Address, query);

        using var answer = await visitor.GetAsync(cancelled, ("Accept", Html));

        Assert.Equal((HttpStatusCode.Redirect, expected), (answer.StatusCode, answer.Headers.Location?.OriginalString));
    }

    [Fact]
    public async Task A_login_that_cannot_begin_also_ends_at_the_return_address_or_on_a_page()
    {
        await using var world = await UserWorld.StartAsync(_provider);
        await _provider.StopAsync();
        using var visitor = Visitor.Of(_provider);
        var login = new Uri(world.Gateway.Address, "bff/login?returnUrl=/app");

        using var page = await visitor.GetAsync(login, ("Accept", Html));
        using var returned = await visitor.GetAsync(
            new Uri(login, "login?returnUrl=/app&onError=return"), ("Accept", Html));

        Assert.Equal((HttpStatusCode.ServiceUnavailable, "text/html"),
            (page.StatusCode, page.Content.Headers.ContentType!.MediaType));
        Assert.Contains("bff/login?returnUrl=%2Fapp", await page.Content.ReadAsStringAsync(World.Cancellation),
            StringComparison.Ordinal);
        Assert.Equal("/app?login_error=identity-unavailable", returned.Headers.Location?.ToString());
    }

    [Fact]
    public async Task A_callback_that_is_used_again_goes_on_to_the_return_address_of_a_user_who_is_logged_in()
    {
        await using var world = await UserWorld.StartAsync(_provider);
        using var visitor = Visitor.Of(_provider);
        var back = await BackAsync(visitor, world.Gateway.Address, "?returnUrl=/app");
        using var first = await visitor.GetAsync(back, ("Accept", Html));

        using var second = await visitor.GetAsync(back, ("Accept", Html));

        Assert.Equal((HttpStatusCode.Redirect, "/app"), (second.StatusCode, second.Headers.Location?.ToString()));
        Assert.Equal(HttpStatusCode.OK, await visitor.StatusAsync(world.Gateway.Address));

        await visitor.LogOutAsync(world.Gateway.Address);
        using var third = await visitor.GetAsync(back);
        Assert.Equal("/problems/login-expired", await BoundTests.ProblemTypeAsync(third));
    }

    [Fact]
    public async Task A_login_that_takes_longer_than_15_minutes_is_refused_as_expired()
    {
        await using var world = await UserWorld.StopClockAsync(_provider);
        using var visitor = Visitor.Of(_provider);
        using var late = Visitor.Of(_provider);
        var (inTime, tooLate) = (await BackAsync(visitor, world.Gateway.Address, "?returnUrl=/app"),
            await BackAsync(late, world.Gateway.Address, "?returnUrl=/app"));
        world.Clock!.Advance(TimeSpan.FromMinutes(14));
        using var landed = await visitor.GetAsync(inTime);
        world.Clock.Advance(TimeSpan.FromMinutes(1));

        using var answer = await late.GetAsync(tooLate);

        Assert.Equal("/app", landed.Headers.Location?.ToString());
        Assert.Equal("/problems/login-expired", await BoundTests.ProblemTypeAsync(answer));
    }

    [Fact]
    public async Task All_logins_of_a_browser_share_one_cookie_that_lasts_15_minutes()
    {
        await using var world = await UserWorld.StartAsync(_provider);
        using var visitor = Visitor.Of(_provider);
        var first = await BackAsync(visitor, world.Gateway.Address, "?returnUrl=/first");
        for (var i = 0; i < 29; i++) await BackAsync(visitor, world.Gateway.Address, "?returnUrl=/other");

        Assert.Equal(30, visitor.SetCookies.Count(line => line.StartsWith(LoginCookie.Name, StringComparison.Ordinal)));
        Assert.All(visitor.SetCookies.Where(line => !line.StartsWith("login-", StringComparison.Ordinal)), line =>
            Assert.Matches("^__Host-Http-gateway-login=[A-Za-z0-9_-]{43}; max-age=900; path=/; "
                + "secure; samesite=lax; httponly$", line));
        using var landed = await visitor.GetAsync(first);
        Assert.Equal("/first", landed.Headers.Location?.ToString());
    }

    [Fact]
    public async Task A_logout_keeps_a_login_that_is_under_way()
    {
        await using var world = await UserWorld.StartAsync(_provider);
        using var visitor = Visitor.Of(_provider);
        using var landed = await visitor.LogInAsync(_provider, world.Gateway.Address);
        var other = await BackAsync(visitor, world.Gateway.Address, "?returnUrl=/other");
        await visitor.LogOutAsync(world.Gateway.Address);

        using var again = await visitor.GetAsync(other);

        Assert.Equal("/other", again.Headers.Location?.ToString());
        Assert.Equal(HttpStatusCode.OK, await visitor.StatusAsync(world.Gateway.Address));
    }

    [Fact]
    public async Task The_last_of_several_logins_of_a_browser_ends_the_others()
    {
        await using var world = await UserWorld.StartAsync(_provider);
        using var visitor = Visitor.Of(_provider);
        var sessions = new List<string>();
        var backs = new List<Uri>();
        for (var i = 0; i < 3; i++) backs.Add(await BackAsync(visitor, world.Gateway.Address, ""));
        foreach (var back in backs)
        {
            using var landed = await visitor.GetAsync(back);
            sessions.Add(visitor.Session!);
        }
        var statuses = new List<HttpStatusCode>();
        foreach (var session in sessions)
        {
            visitor.Session = session;
            statuses.Add(await visitor.StatusAsync(world.Gateway.Address));
        }
        Assert.Equal([HttpStatusCode.Unauthorized, HttpStatusCode.Unauthorized, HttpStatusCode.OK], statuses);
    }

    [Fact]
    public async Task Two_tabs_without_a_cookie_that_begin_at_once_both_end_logged_in()
    {
        await using var world = await UserWorld.StartAsync(_provider);
        using var one = Visitor.Of(_provider);
        using var other = Visitor.Of(_provider);
        // The browser keeps the cookie of the second answer.
        var first = await BackAsync(one, world.Gateway.Address, "?returnUrl=/one");
        var second = await BackAsync(other, world.Gateway.Address, "?returnUrl=/two");

        using var again = await other.GetAsync(first);
        using var landed = await other.GetAsync(
            await other.AuthorizeAsync(_provider, again.Headers.Location!, "alice"));
        using var last = await other.GetAsync(second);

        Assert.Equal(("/one", "/two"), (landed.Headers.Location?.ToString(), last.Headers.Location?.ToString()));
    }

    [Fact]
    public async Task A_login_is_begun_again_once_for_a_browser_that_keeps_no_cookie()
    {
        await using var world = await UserWorld.StartAsync(_provider);
        using var visitor = Visitor.Of(_provider);
        var back = await BackAsync(visitor, world.Gateway.Address, "");
        using var forgetful = Visitor.Of(_provider);

        using var again = await forgetful.GetAsync(back);
        var second = await forgetful.AuthorizeAsync(_provider, again.Headers.Location!, "alice");
        using var third = Visitor.Of(_provider);
        using var answer = await third.GetAsync(second);

        Assert.Equal("/problems/login-expired", await BoundTests.ProblemTypeAsync(answer));
    }

    [Theory]
    [InlineData("X-Forwarded-Proto", "https", "127.0.0.1", "the browser uses https, and is not known")]
    [InlineData(
        "X-Forwarded-Host", "gateway.example.com", "127.0.0.1", "the browser uses another host, and is not known")]
    [InlineData("X-Unrelated", "1", "gateway.example.com", "the browser does not use https")]
    public async Task An_address_that_no_browser_can_use_is_a_misconfiguration_that_the_log_explains(
        string header, string value, string host, string reason)
    {
        await using var world = await UserWorld.StartAsync(_provider);
        using var visitor = Visitor.Of(_provider);

        using var answer = await visitor.GetAsync(
            new Uri(world.Gateway.Address, "bff/login"), (header, value), ("Host", host));

        Assert.Equal("/problems/identity-misconfigured", await BoundTests.ProblemTypeAsync(answer));
        Assert.Contains(world.Gateway.Log.All, line => line.Contains(reason, StringComparison.Ordinal)
            && line.Contains("ForwardedHeaders:KnownProxies", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("127.0.0.1", "127.0.0.1:80")]
    [InlineData("127.0.0.1:80", "127.0.0.1")]
    [InlineData("localhost:8080", "LOCALHOST:8080")]
    [InlineData("[::1]", "[::1]:80")]
    public async Task A_default_port_that_only_one_of_two_headers_names_does_not_matter(string host, string forwarded)
    {
        await using var world = await UserWorld.StartAsync(_provider);
        using var visitor = Visitor.Of(_provider);

        using var answer = await visitor.GetAsync(
            new Uri(world.Gateway.Address, "bff/login"), ("Host", host), ("X-Forwarded-Host", forwarded));

        Assert.Equal(HttpStatusCode.Redirect, answer.StatusCode);
    }

    [Theory]
    [InlineData("gw.example.com:443", HttpStatusCode.Redirect)]
    [InlineData("gw.example.com:80", HttpStatusCode.InternalServerError)]
    [InlineData("gw.example.com:8443", HttpStatusCode.InternalServerError)]
    public async Task Behind_a_proxy_that_ends_TLS_the_default_port_is_that_of_https(
        string forwarded, HttpStatusCode status)
    {
        await using var world = await UserWorld.StartAsync(
            _provider, ("ForwardedHeaders:KnownProxies:0", "127.0.0.1"));
        using var visitor = Visitor.Of(_provider);

        // The known proxy appends its own values. The gateway has no use for those of the proxy before it.
        using var answer = await visitor.GetAsync(new Uri(world.Gateway.Address, "bff/login"),
            ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", $"{forwarded}, gw.example.com"));

        Assert.Equal(status, answer.StatusCode);
    }

    [Fact]
    public async Task An_error_in_an_address_can_neither_forge_nor_flood_the_log()
    {
        await using var world = await UserWorld.StartAsync(_provider);
        using var visitor = Visitor.Of(_provider);
        var cancelled = await CancelledAsync(visitor, world.Gateway.Address, "");
        foreach (var (error, description) in ((string, string)[])[
            ("access_denied", $"no\r\nfail: forged\u2028\u001b[31m{new string('x', 5000)}"),
            ($"e\nfail: forged{new string('y', 5000)}", "no")])
        {
            var query = QueryHelpers.ParseQuery(cancelled.Query).ToDictionary(
                pair => pair.Key, pair => pair.Value.ToString());
            (query["error"], query["error_description"]) = (error, description);
            using var answer = await visitor.GetAsync(
                new Uri(QueryHelpers.AddQueryString(cancelled.GetLeftPart(UriPartial.Path), query!)));
        }

        var lines = world.Gateway.Log.All.Where(line =>
            line.Contains("the provider answered", StringComparison.Ordinal)).ToArray();
        Assert.Equal(2, lines.Length);
        Assert.Contains("access_denied: no??fail: forged??[31mxxx", lines[0], StringComparison.Ordinal);
        Assert.Contains("answered e?fail: forgedyyy", lines[1], StringComparison.Ordinal);
        Assert.All(lines, line => Assert.InRange(line.Length, 1, 600));
    }

    [Theory]
    [InlineData("")]
    [InlineData("?state=made-up")]
    public async Task A_logout_without_a_known_state_lands_on_an_address_that_exists(string query)
    {
        await using var world = await UserWorld.StartAsync(_provider, ("PathBase", "/gw"));
        using var visitor = Visitor.Of(_provider);

        using var answer = await visitor.GetAsync(new Uri(world.Gateway.Address, $"gw/bff/logged-out{query}"));

        Assert.Equal("/gw/", answer.Headers.Location?.ToString());
        using var start = await visitor.GetAsync(new Uri(world.Gateway.Address, "gw/"));
        using var page = await visitor.GetAsync(
            new Uri(new Uri(world.Gateway.Address, "gw/"), start.Headers.Location!));
        Assert.Equal(HttpStatusCode.OK, page.StatusCode);
    }

    // Signs in, and returns the address to which the provider sends the browser.
    private async Task<Uri> BackAsync(Visitor visitor, Uri gateway, string query)
    {
        using var sent = await visitor.GetAsync(new Uri(gateway, "bff/login" + query));
        return await visitor.AuthorizeAsync(_provider, sent.Headers.Location!, "alice");
    }

    // The address to which a provider sends the browser of a user who cancels (RFC 6749, section 4.1.2.1).
    private async Task<Uri> CancelledAsync(Visitor visitor, Uri gateway, string query)
    {
        using var sent = await visitor.GetAsync(new Uri(gateway, "bff/login" + query));
        var state = QueryHelpers.ParseQuery(sent.Headers.Location!.Query)["state"].ToString();
        return new Uri(gateway, QueryHelpers.AddQueryString("bff/callback", new Dictionary<string, string?>
        {
            ["error"] = "access_denied",
            ["state"] = state,
            ["iss"] = _provider.Address.AbsoluteUri,
        }));
    }
}

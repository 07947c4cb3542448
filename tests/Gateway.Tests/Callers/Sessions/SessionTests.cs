using System.Net;
using System.Text.Json;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.Infrastructure.Identity;
using Gateway.Tests.RequestPath;
using Microsoft.AspNetCore.WebUtilities;

namespace Gateway.Tests.Callers.Sessions;

/// <summary>Tests logins, sessions and logouts with a simulated browser.</summary>
public sealed class SessionTests : IAsyncLifetime
{
    private IdentityProvider _provider = null!;

    public async ValueTask InitializeAsync() => _provider = await IdentityProvider.StartedAsync();

    public ValueTask DisposeAsync() => _provider.DisposeAsync();

    [Fact]
    public async Task A_login_redirects_to_the_return_URL_and_gives_the_permissions_of_the_users_teams()
    {
        await using var world = await UserWorld.StartAsync(_provider);
        using var visitor = Visitor.Of(_provider);

        using var landed = await visitor.LogInAsync(
            _provider, world.Gateway.Address, "bob", "?returnUrl=%2Fapp%3Fx%3D1");

        Assert.Equal((HttpStatusCode.Redirect, "/app?x=1"), (landed.StatusCode, landed.Headers.Location!.ToString()));
        Assert.True(landed.Headers.CacheControl?.NoStore);
        Assert.Equal(HttpStatusCode.OK, await visitor.StatusAsync(world.Gateway.Address));
        Assert.Equal(HttpStatusCode.Forbidden, await visitor.StatusAsync(world.Gateway.Address, "harbour"));
    }

    [Fact]
    public async Task A_login_works_if_the_providers_metadata_is_not_below_its_issuer()
    {
        await using var provider = new IdentityProvider { Issuer = new Uri("http://provider.invalid/tenant/") };
        await provider.StartAsync();
        await using var world = await UserWorld.StartAsync(provider,
            ("Authentication:Oidc:Authority", provider.Issuer.AbsoluteUri),
            ("Authentication:Oidc:MetadataAddress", new Uri(provider.Address, Endpoint.Discovery).AbsoluteUri));
        using var visitor = Visitor.Of(provider);
        using var landed = await visitor.LogInAsync(provider, world.Gateway.Address);
        Assert.Equal((HttpStatusCode.Redirect, "/app"), (landed.StatusCode, landed.Headers.Location!.ToString()));
        Assert.Equal(HttpStatusCode.OK, await visitor.StatusAsync(world.Gateway.Address));
    }

    [Fact]
    public async Task The_authorization_request_uses_the_code_flow_with_PKCE_state_and_nonce()
    {
        await using var world = await UserWorld.StartAsync(_provider, ("Authentication:Oidc:Scopes:0", "openid"));
        using var visitor = Visitor.Of(_provider);
        using var sent = await visitor.GetAsync(new Uri(world.Gateway.Address, "bff/login"));
        var query = QueryHelpers.ParseQuery(sent.Headers.Location!.Query);
        Assert.Equal(("code", "S256", "openid", "gateway"),
            (query["response_type"].ToString(), query["code_challenge_method"].ToString(), query["scope"].ToString(),
            query["client_id"].ToString()));
        Assert.Equal(new Uri(world.Gateway.Address, "bff/callback").AbsoluteUri, query["redirect_uri"]);
        Assert.All((string[])["state", "nonce", "code_challenge"], name => Assert.NotEmpty(query[name].ToString()));
        Assert.DoesNotContain(IdentityProvider.ClientSecret, sent.Headers.Location!.ToString(),
            StringComparison.Ordinal);
        AssertStrict(visitor.SetCookies, "lax");
    }

    [Fact]
    public async Task Login_and_logout_use_the_external_address_behind_a_proxy_and_below_a_path_base()
    {
        await using var world = await UserWorld.StartAsync(
            _provider, ("PathBase", "/gw"), ("ForwardedHeaders:KnownProxies:0", "127.0.0.1"));
        var gateway = new Uri(world.Gateway.Address, "gw/");
        _provider.Register(gateway);
        using var visitor = Visitor.Of(_provider);
        using var sent = await visitor.GetAsync(
            new Uri(gateway, "bff/login"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "gateway.example"));
        Assert.Equal("https://gateway.example/gw/bff/callback",
            QueryHelpers.ParseQuery(sent.Headers.Location!.Query)["redirect_uri"]);

        using var landed = await visitor.LogInAsync(_provider, gateway, query: "");
        Assert.Equal("/gw/", landed.Headers.Location?.ToString());

        var next = new Uri((await visitor.LogOutAsync(gateway)).GetProperty("logoutUrl").GetString()!);
        Assert.Equal(new Uri(gateway, "bff/logged-out").AbsoluteUri,
            QueryHelpers.ParseQuery(next.Query)["post_logout_redirect_uri"]);
    }

    [Fact]
    public async Task The_default_scopes_are_openid_profile_and_email()
    {
        await using var world = await UserWorld.StartAsync(_provider);
        using var visitor = Visitor.Of(_provider);
        using var sent = await visitor.GetAsync(new Uri(world.Gateway.Address, "bff/login"));
        Assert.Equal("openid profile email", QueryHelpers.ParseQuery(sent.Headers.Location!.Query)["scope"]);
    }

    [Fact]
    public async Task The_session_cookie_has_an_opaque_value_and_the_strictest_attributes()
    {
        await using var world = await UserWorld.StartAsync(_provider);
        using var visitor = Visitor.Of(_provider);
        using var landed = await visitor.LogInAsync(_provider, world.Gateway.Address);
        var lines = landed.Headers.GetValues("Set-Cookie")
            .Where(line => line.StartsWith("__Host-Http-gateway=", StringComparison.Ordinal)).ToList();
        AssertStrict(lines, "strict");
        Assert.Matches("^[A-Za-z0-9_-]{176}$", visitor.Session);
        Assert.DoesNotContain("expires", Assert.Single(lines), StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task The_user_endpoint_returns_only_the_default_claims_teams_and_expiry_times()
    {
        await using var world = await UserWorld.StopClockAsync(_provider);
        using var visitor = Visitor.Of(_provider);
        using var _ = await visitor.LogInAsync(_provider, world.Gateway.Address, "carol");

        using var answer = await visitor.FetchAsync(world.Gateway.Address, "bff/user");

        var body = await answer.Content.ReadAsStringAsync(World.Cancellation);
        Assert.DoesNotContain(_provider.Ledger.Tokens, token => body.Contains(token, StringComparison.Ordinal));
        var user = JsonElement.Parse(body);
        Assert.Equal(["sub", "name", "preferred_username", "email"],
            user.GetProperty("claims").EnumerateObject().Select(claim => claim.Name));
        Assert.Equal("Carol Curie", user.GetProperty("claims").GetProperty("name").GetString());
        Assert.Equal(["mapping", "survey"],
            user.GetProperty("teams").EnumerateArray().Select(team => team.GetString()));
        Assert.Equal(world.Clock!.GetUtcNow() + TimeSpan.FromHours(8),
            user.GetProperty("expiresAt").GetDateTimeOffset());
        Assert.Equal(world.Clock.GetUtcNow() + TimeSpan.FromMinutes(30),
            user.GetProperty("idleExpiresAt").GetDateTimeOffset());
        Assert.True(answer.Headers.CacheControl?.NoStore);
        Assert.Contains("Cookie", answer.Headers.Vary);
    }

    [Fact]
    public async Task The_user_endpoint_can_be_asked_without_extending_the_session()
    {
        await using var world = await UserWorld.StopClockAsync(_provider);
        using var visitor = Visitor.Of(_provider);
        using var _ = await visitor.LogInAsync(_provider, world.Gateway.Address);
        var ends = world.Clock!.GetUtcNow() + TimeSpan.FromMinutes(30);
        for (var i = 0; i < 2; i++)
        {
            world.Clock.Advance(TimeSpan.FromMinutes(14));
            using var answer = await visitor.FetchAsync(world.Gateway.Address, "bff/user?extend=false");
            var user = JsonElement.Parse(await answer.Content.ReadAsStringAsync(World.Cancellation));
            Assert.Equal(ends, user.GetProperty("idleExpiresAt").GetDateTimeOffset());
        }
        world.Clock.Advance(TimeSpan.FromMinutes(3));
        using var late = await visitor.FetchAsync(world.Gateway.Address, "bff/user?extend=false");
        Assert.Equal(HttpStatusCode.Unauthorized, late.StatusCode);
    }

    [Fact]
    public async Task The_claims_of_the_user_endpoint_are_configurable()
    {
        await using var world = await UserWorld.StartAsync(_provider, ("Authentication:Oidc:UserClaims:0", "groups"),
            ("Authentication:Oidc:UserClaims:1", "none"),
            ("Authentication:Oidc:UserClaims:2", "groups"));
        using var visitor = Visitor.Of(_provider);
        using var _ = await visitor.LogInAsync(_provider, world.Gateway.Address);
        using var answer = await visitor.FetchAsync(world.Gateway.Address, "bff/user");
        var user = JsonElement.Parse(await answer.Content.ReadAsStringAsync(World.Cancellation));
        Assert.Equal("""{"groups":["mapping"]}""", user.GetProperty("claims").GetRawText());
    }

    [Fact]
    public async Task User_info_claims_supplement_the_ID_token_and_never_override_it()
    {
        (_provider.UserInfo["department"], _provider.UserInfo["groups"]) = ("maps", new[] { "survey" });
        await using var world = await UserWorld.StartAsync(_provider,
            ("Authentication:Oidc:UserClaims:0", "groups"), ("Authentication:Oidc:UserClaims:1", "department"));
        using var visitor = Visitor.Of(_provider);
        using var _ = await visitor.LogInAsync(_provider, world.Gateway.Address);
        using var answer = await visitor.FetchAsync(world.Gateway.Address, "bff/user");
        var user = JsonElement.Parse(await answer.Content.ReadAsStringAsync(World.Cancellation));
        Assert.Equal("""{"groups":["mapping"],"department":"maps"}""", user.GetProperty("claims").GetRawText());
    }

    [Theory]
    [InlineData("bff/user", "GET")]
    [InlineData("bff/logout", "POST")]
    [InlineData("v0/workflows/survey-1/jobs/finished-1", "GET")]
    public async Task A_request_without_a_valid_session_is_401(string path, string method)
    {
        await using var world = await UserWorld.StartAsync(_provider);
        using var visitor = Visitor.Of(_provider);
        foreach (var session in (string?[])[null, "", "made-up", new string('x', 2000)])
        {
            if (session is not null) visitor.Session = session;
            using var answer = await visitor.FetchAsync(world.Gateway.Address, path, new HttpMethod(method));
            Assert.Equal((401, "/problems/unauthenticated"),
                ((int)answer.StatusCode, await BoundTests.ProblemTypeAsync(answer)));
            Assert.Equal("Bearer realm=\"gateway\"", answer.Headers.WwwAuthenticate.ToString());
        }
    }

    [Theory]
    [InlineData("bff/user", "GET")]
    [InlineData("bff/logout", "POST")]
    [InlineData("v0/workflows/survey-1/jobs/finished-1", "GET")]
    [InlineData("v0/workflows/survey-1/jobs/finished-1", "HEAD")]
    public async Task A_session_cookie_requires_the_CSRF_header_and_an_allowed_origin(string path, string method)
    {
        await using var world = await UserWorld.StartAsync(
            _provider, ("Cors:AllowedOrigins:0", "https://app.example.com"));
        using var visitor = Visitor.Of(_provider);
        using var _ = await visitor.LogInAsync(_provider, world.Gateway.Address);
        var own = world.Gateway.Address.GetLeftPart(UriPartial.Authority);

        await AssertAsync(403, "/problems/csrf-header-required");
        await AssertAsync(403, "/problems/csrf-header-required", ("X-CSRF", "0"));
        await AssertAsync(403, "/problems/csrf-header-required", ("X-CSRF", ""));
        await AssertAsync(403, "/problems/csrf-header-required", ("X-CSRF", "1"), ("X-CSRF", "1"));
        await AssertAsync(403, "/problems/csrf-header-required", ("X-CSRF", "1, 1"));
        await AssertAsync(403, "/problems/foreign-origin", ("X-CSRF", "1"), ("Origin", "https://evil.example"));
        await AssertAsync(403, "/problems/foreign-origin", ("X-CSRF", "1"), ("Origin", "null"));
        await AssertAsync(403, "/problems/foreign-origin", ("X-CSRF", "1"),
            ("Origin", own.Replace("http:", "https:", StringComparison.Ordinal)));
        await AssertAsync(403, "/problems/foreign-origin", ("X-CSRF", "1"), ("Origin", own + "0"));
        Assert.Equal(0, world.Upstream.Ledger.Total);
        await AssertAsync(200, null, ("X-CSRF", "1"), ("Origin", "https://app.example.com"));
        if (method != "POST") await AssertAsync(200, null, ("X-CSRF", "1"), ("Origin", own));

        async Task AssertAsync(int status, string? type, params (string, string)[] headers)
        {
            using var answer = await visitor.SendAsync(
                new HttpMethod(method), new Uri(world.Gateway.Address, path), null, headers);
            Assert.Equal(status, (int)answer.StatusCode);
            if (type is not null && method != "HEAD") Assert.Equal(type, await BoundTests.ProblemTypeAsync(answer));
        }
    }

    [Fact]
    public async Task A_session_together_with_a_key_is_400()
    {
        await using var world = await UserWorld.StartAsync(_provider);
        using var visitor = Visitor.Of(_provider);
        using var _ = await visitor.LogInAsync(_provider, world.Gateway.Address);
        using var answer = await visitor.GetAsync(
            new Uri(world.Gateway.Address, "v0/workflows/survey-1/jobs/finished-1"), ("X-CSRF", "1"),
            ("X-Api-Key", World.MappingKey));
        Assert.Equal("/problems/ambiguous-credentials", await BoundTests.ProblemTypeAsync(answer));
    }

    [Fact]
    public async Task A_logout_ends_the_session_and_leads_through_the_provider_to_the_return_URL()
    {
        await using var world = await UserWorld.StartAsync(_provider);
        using var visitor = Visitor.Of(_provider);
        using var _ = await visitor.LogInAsync(_provider, world.Gateway.Address);
        var stolen = visitor.Session!;

        using var user = await visitor.FetchAsync(world.Gateway.Address, "bff/user");
        Assert.Equal(HttpStatusCode.OK, user.StatusCode);
        var next = new Uri((await visitor.LogOutAsync(world.Gateway.Address, "?returnUrl=%2Fbye"))
            .GetProperty("logoutUrl").GetString()!);

        Assert.Null(visitor.Session);
        visitor.Session = stolen;
        Assert.Equal(HttpStatusCode.Unauthorized, await visitor.StatusAsync(world.Gateway.Address));

        using var ended = await visitor.GetAsync(next);
        Assert.Null(Assert.Single(_provider.Ledger.EndSessionCalls).IdTokenHint);
        Assert.Equal(new Uri(world.Gateway.Address, "bff/logged-out").AbsoluteUri,
            ended.Headers.Location!.GetLeftPart(UriPartial.Path));
        using var back = await visitor.GetAsync(ended.Headers.Location!);
        Assert.Equal("/bye", back.Headers.Location?.ToString());
    }

    [Fact]
    public async Task A_logout_while_the_provider_is_unavailable_ends_the_session()
    {
        await using var world = await UserWorld.StartAsync(_provider);
        using var visitor = Visitor.Of(_provider);
        using var _ = await visitor.LogInAsync(_provider, world.Gateway.Address);
        var stolen = visitor.Session!;
        await _provider.StopAsync();
        await visitor.LogOutAsync(world.Gateway.Address);
        visitor.Session = stolen;
        Assert.Equal(HttpStatusCode.Unauthorized, await visitor.StatusAsync(world.Gateway.Address));
    }

    [Fact]
    public async Task Use_extends_a_session_and_an_idle_session_ends()
    {
        await using var world = await UserWorld.StopClockAsync(_provider);
        using var visitor = Visitor.Of(_provider);
        using var _ = await visitor.LogInAsync(_provider, world.Gateway.Address);
        for (var i = 0; i < 4; i++)
        {
            world.Clock!.Advance(TimeSpan.FromMinutes(29));
            Assert.Equal(HttpStatusCode.OK, await visitor.StatusAsync(world.Gateway.Address));
        }
        world.Clock!.Advance(TimeSpan.FromMinutes(30));
        Assert.Equal(HttpStatusCode.Unauthorized, await visitor.StatusAsync(world.Gateway.Address));
    }

    [Fact]
    public async Task A_session_ends_at_its_absolute_lifetime_even_if_it_is_in_use()
    {
        await using var world = await UserWorld.StopClockAsync(
            _provider, ("Authentication:Oidc:AbsoluteLifetime", "01:00:00"));
        using var visitor = Visitor.Of(_provider);
        using var _ = await visitor.LogInAsync(_provider, world.Gateway.Address);
        foreach (var minutes in (int[])[20, 20, 19])
        {
            world.Clock!.Advance(TimeSpan.FromMinutes(minutes));
            Assert.Equal(HttpStatusCode.OK, await visitor.StatusAsync(world.Gateway.Address));
        }
        world.Clock!.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal(HttpStatusCode.Unauthorized, await visitor.StatusAsync(world.Gateway.Address));
    }

    [Fact]
    public async Task The_reported_idle_expiry_is_never_later_than_the_absolute_expiry()
    {
        await using var world = await UserWorld.StopClockAsync(
            _provider, ("Authentication:Oidc:IdleLifetime", "00:10:00"),
            ("Authentication:Oidc:AbsoluteLifetime", "00:15:00"));
        using var visitor = Visitor.Of(_provider);
        using var _ = await visitor.LogInAsync(_provider, world.Gateway.Address);
        world.Clock!.Advance(TimeSpan.FromMinutes(9));
        using var answer = await visitor.FetchAsync(world.Gateway.Address, "bff/user");
        var user = JsonElement.Parse(await answer.Content.ReadAsStringAsync(World.Cancellation));
        Assert.Equal(world.Clock.GetUtcNow() + TimeSpan.FromMinutes(6),
            user.GetProperty("idleExpiresAt").GetDateTimeOffset());
    }

    [Fact]
    public async Task The_login_of_one_user_does_not_end_the_session_of_another()
    {
        await using var world = await UserWorld.StopClockAsync(_provider);
        using Visitor first = Visitor.Of(_provider), second = Visitor.Of(_provider);
        using var one = await first.LogInAsync(_provider, world.Gateway.Address);
        world.Clock!.Advance(TimeSpan.FromMinutes(5));
        using var two = await second.LogInAsync(_provider, world.Gateway.Address, "bob");
        Assert.Equal(HttpStatusCode.OK, await first.StatusAsync(world.Gateway.Address));
    }

    [Theory]
    [InlineData("//evil.example")]
    [InlineData("https://evil.example/")]
    [InlineData("/\\evil.example")]
    public async Task A_foreign_return_URL_is_rejected_at_login_and_logout(string returnUrl)
    {
        await using var world = await UserWorld.StartAsync(_provider);
        using var visitor = Visitor.Of(_provider);
        var query = "?returnUrl=" + Uri.EscapeDataString(returnUrl);
        using var login = await visitor.GetAsync(new Uri(world.Gateway.Address, "bff/login" + query));
        Assert.Equal("/problems/invalid-return-url", await BoundTests.ProblemTypeAsync(login));
        Assert.Null(login.Headers.Location);

        using var _ = await visitor.LogInAsync(_provider, world.Gateway.Address);
        using var logout = await visitor.FetchAsync(world.Gateway.Address, "bff/logout" + query, HttpMethod.Post);
        Assert.Equal("/problems/invalid-return-url", await BoundTests.ProblemTypeAsync(logout));
    }

    [Fact]
    public async Task A_login_redirects_to_an_allowed_origin()
    {
        await using var world = await UserWorld.StartAsync(
            _provider, ("Cors:AllowedOrigins:0", "https://app.example.com"));
        using var visitor = Visitor.Of(_provider);
        using var landed = await visitor.LogInAsync(
            _provider, world.Gateway.Address, query: "?returnUrl=https%3A%2F%2Fapp.example.com%2Fjobs");
        Assert.Equal("https://app.example.com/jobs", landed.Headers.Location!.AbsoluteUri);
    }

    [Fact]
    public async Task A_callback_of_a_login_that_another_browser_started_creates_no_session()
    {
        await using var world = await UserWorld.StartAsync(_provider);
        using Visitor attacker = Visitor.Of(_provider), victim = Visitor.Of(_provider);
        using var sent = await attacker.GetAsync(new Uri(world.Gateway.Address, "bff/login"));
        var back = await attacker.AuthorizeAsync(_provider, sent.Headers.Location!, "alice");

        using var landed = await victim.GetAsync(back);

        // The victim's browser begins a login of its own.
        Assert.Equal(_provider.Address.Authority, landed.Headers.Location?.Authority);
        Assert.Empty(_provider.Ledger.TokenCalls);
        Assert.Null(victim.Session);
    }

    [Fact]
    public async Task A_code_with_the_state_of_another_login_creates_no_session()
    {
        await using var world = await UserWorld.StartAsync(_provider);
        using var visitor = Visitor.Of(_provider);
        using var first = await visitor.GetAsync(new Uri(world.Gateway.Address, "bff/login"));
        using var second = await visitor.GetAsync(new Uri(world.Gateway.Address, "bff/login"));
        var back = await visitor.AuthorizeAsync(_provider, first.Headers.Location!, "alice");
        // The code of one login with the state of another.
        var state = QueryHelpers.ParseQuery(second.Headers.Location!.Query)["state"].ToString();
        using var injected = await visitor.GetAsync(With(back, "state", state));
        Assert.Equal("/problems/login-expired", await BoundTests.ProblemTypeAsync(injected));
        Assert.Null(visitor.Session);
    }

    [Fact]
    public async Task The_error_description_of_the_provider_is_logged_and_not_returned()
    {
        await using var world = await UserWorld.StartAsync(_provider);
        using var visitor = Visitor.Of(_provider);
        using var sent = await visitor.GetAsync(new Uri(world.Gateway.Address, "bff/login"));
        var state = QueryHelpers.ParseQuery(sent.Headers.Location!.Query)["state"].ToString();
        var callback = new Uri(world.Gateway.Address,
            "bff/callback?error=access_denied&error_description=from-outside");
        using var answer = await visitor.GetAsync(
            With(With(callback, "state", state), "iss", _provider.Address.AbsoluteUri));
        Assert.Equal("/problems/login-cancelled", await BoundTests.ProblemTypeAsync(answer));
        Assert.DoesNotContain("from-outside", await answer.Content.ReadAsStringAsync(World.Cancellation),
            StringComparison.Ordinal);
        Assert.Contains(world.Gateway.Log.All, line => line.Contains("A login ended", StringComparison.Ordinal)
            && line.Contains("from-outside", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("?error=access_denied&error_description=%3Cscript%3E&state=x")]
    [InlineData("?code=x&state=x")]
    [InlineData("?code=x")]
    [InlineData("")]
    public async Task An_invalid_callback_is_a_failed_login_and_its_query_is_not_returned(string query)
    {
        await using var world = await UserWorld.StartAsync(_provider);
        using var visitor = Visitor.Of(_provider);
        using var answer = await visitor.GetAsync(new Uri(world.Gateway.Address, "bff/callback" + query));
        Assert.Equal("/problems/login-failed", await BoundTests.ProblemTypeAsync(answer));
        Assert.DoesNotContain("script", await answer.Content.ReadAsStringAsync(World.Cancellation),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_login_while_the_provider_is_unavailable_is_refused_with_Retry_After()
    {
        await using var world = await UserWorld.StartAsync(_provider);
        await _provider.StopAsync();
        using var visitor = Visitor.Of(_provider);
        using var answer = await visitor.GetAsync(new Uri(world.Gateway.Address, "bff/login"));
        Assert.Equal("/problems/identity-unavailable", await BoundTests.ProblemTypeAsync(answer));
        Assert.NotNull(answer.Headers.RetryAfter);
    }

    [Fact]
    public async Task A_login_during_which_the_provider_fails_creates_no_session()
    {
        await using var world = await UserWorld.StartAsync(_provider);
        using var visitor = Visitor.Of(_provider);
        using var sent = await visitor.GetAsync(new Uri(world.Gateway.Address, "bff/login"));
        var back = await visitor.AuthorizeAsync(_provider, sent.Headers.Location!, "alice");
        await _provider.StopAsync();
        using var answer = await visitor.GetAsync(back);
        Assert.Equal("/problems/identity-unavailable", await BoundTests.ProblemTypeAsync(answer));
        Assert.Null(visitor.Session);
    }

    [Fact]
    public async Task The_client_secret_file_is_read_at_every_login()
    {
        var file = Path.GetTempFileName();
        await File.WriteAllTextAsync(file, "wrong-secret", World.Cancellation);
        await using var world = await UserWorld.StartAsync(
            _provider, ("Authentication:Oidc:ClientSecret", ""), ("Authentication:Oidc:ClientSecretFile", file));
        using var visitor = Visitor.Of(_provider);
        using var wrong = await visitor.LogInAsync(_provider, world.Gateway.Address);
        await File.WriteAllTextAsync(file, IdentityProvider.ClientSecret + "\n", World.Cancellation);
        using var right = await visitor.LogInAsync(_provider, world.Gateway.Address);
        Assert.Equal(
            (HttpStatusCode.InternalServerError, HttpStatusCode.Redirect), (wrong.StatusCode, right.StatusCode));
        File.Delete(file);
    }

    [Fact]
    public async Task The_first_login_after_a_key_rotation_succeeds()
    {
        await using var world = await UserWorld.StopClockAsync(_provider);
        using var visitor = Visitor.Of(_provider);
        using var first = await visitor.LogInAsync(_provider, world.Gateway.Address);
        world.Clock!.Advance(TimeSpan.FromSeconds(6));
        _provider.RotateSigningKey();
        using var second = await visitor.LogInAsync(_provider, world.Gateway.Address);
        Assert.Equal((HttpStatusCode.Redirect, HttpStatusCode.Redirect), (first.StatusCode, second.StatusCode));
    }

    [Fact]
    public async Task A_callback_without_the_issuer_of_the_provider_is_a_failed_login()
    {
        await using var world = await UserWorld.StartAsync(_provider);
        using var visitor = Visitor.Of(_provider);
        using var sent = await visitor.GetAsync(new Uri(world.Gateway.Address, "bff/login"));
        var back = await visitor.AuthorizeAsync(_provider, sent.Headers.Location!, "alice");
        var query = QueryHelpers.ParseQuery(back.Query);
        Assert.Equal(_provider.Address.AbsoluteUri, query["iss"]);
        foreach (var issuer in (string?[])[null, "https://another.example/"])
        {
            var said = query.Where(pair => pair.Key != "iss")
                .Select(pair => KeyValuePair.Create(pair.Key, (string?)pair.Value.ToString()));
            if (issuer is not null) said = said.Append(KeyValuePair.Create("iss", (string?)issuer));
            using var answer = await visitor.GetAsync(
                new Uri(QueryHelpers.AddQueryString(back.GetLeftPart(UriPartial.Path), said)));
            Assert.Equal("/problems/login-failed", await BoundTests.ProblemTypeAsync(answer));
        }
        Assert.Null(visitor.Session);
    }

    [Fact]
    public async Task Unfinished_logins_do_not_overfill_the_cookie_header()
    {
        await using var world = await UserWorld.StartAsync(_provider);
        using var visitor = Visitor.Of(_provider);
        for (var i = 0; i < 60; i++)
        {
            using var sent = await visitor.GetAsync(new Uri(world.Gateway.Address, "bff/login?returnUrl=/app"));
            Assert.Equal(HttpStatusCode.Redirect, sent.StatusCode);
        }
        using var landed = await visitor.LogInAsync(_provider, world.Gateway.Address);
        Assert.Equal("/app", landed.Headers.Location?.ToString());
    }

    [Fact]
    public async Task A_cookie_whose_name_differs_only_in_case_is_not_a_session_even_with_a_key()
    {
        await using var world = await UserWorld.StartAsync(_provider);
        using var visitor = Visitor.Of(_provider);
        using var _ = await visitor.LogInAsync(_provider, world.Gateway.Address);
        using var client = world.Gateway.Client(
            ("X-Api-Key", World.MappingKey), ("Cookie", $"__host-http-gateway={visitor.Session}"));
        using var user = await client.GetAsync(new Uri("bff/user", UriKind.Relative), World.Cancellation);
        using var logout = await client.PostAsync(new Uri("bff/logout", UriKind.Relative), null, World.Cancellation);
        Assert.Equal((HttpStatusCode.Unauthorized, HttpStatusCode.Unauthorized), (user.StatusCode, logout.StatusCode));
        Assert.Equal(HttpStatusCode.OK, await visitor.StatusAsync(world.Gateway.Address));
    }

    [Fact]
    public async Task A_login_creates_a_session_with_a_new_ID_and_ends_the_session_before()
    {
        await using var world = await UserWorld.StartAsync(_provider);
        using var visitor = Visitor.Of(_provider);
        using var first = await visitor.LogInAsync(_provider, world.Gateway.Address);
        var old = visitor.Session!;
        using var second = await visitor.LogInAsync(_provider, world.Gateway.Address);
        Assert.NotEqual(old, visitor.Session);
        Assert.Equal(HttpStatusCode.OK, await visitor.StatusAsync(world.Gateway.Address));
        visitor.Session = old;
        Assert.Equal(HttpStatusCode.Unauthorized, await visitor.StatusAsync(world.Gateway.Address));
    }

    [Fact]
    public async Task A_change_of_a_teams_claims_applies_to_existing_sessions()
    {
        await using var world = await UserWorld.StartAsync(_provider);
        using var visitor = Visitor.Of(_provider);
        using var _ = await visitor.LogInAsync(_provider, world.Gateway.Address);
        Assert.Equal(HttpStatusCode.OK, await visitor.StatusAsync(world.Gateway.Address));
        world.Gateway.Reconfigure(("Teams:mapping:Claims:groups:0", "others"));
        Assert.Equal(HttpStatusCode.Forbidden, await visitor.StatusAsync(world.Gateway.Address));
    }

    [Fact]
    public async Task No_log_line_contains_a_session_ID_a_token_or_the_client_secret()
    {
        await using var world = await UserWorld.StartAsync(_provider);
        using var visitor = Visitor.Of(_provider);
        using var _ = await visitor.LogInAsync(_provider, world.Gateway.Address);
        var session = visitor.Session!;
        await visitor.StatusAsync(world.Gateway.Address);
        await visitor.LogOutAsync(world.Gateway.Address);
        // ASP.NET Core's request log contains URLs, and with them the code, which is already used.
        foreach (var line in world.Gateway.Log.All.Where(
            line => !line.Contains(" Microsoft.AspNetCore.Hosting.Diagnostics: ", StringComparison.Ordinal)))
        {
            foreach (var secret in (string[])[session, IdentityProvider.ClientSecret, .. _provider.Ledger.Tokens,
                .. _provider.Ledger.Codes])
            {
                Assert.DoesNotContain(secret, line, StringComparison.Ordinal);
            }
        }
    }

    private static Uri With(Uri address, string name, string value)
    {
        var query = QueryHelpers.ParseQuery(address.Query)
            .ToDictionary(pair => pair.Key, pair => (string?)pair.Value.ToString());
        query[name] = value;
        return new Uri(QueryHelpers.AddQueryString(address.GetLeftPart(UriPartial.Path), query));
    }

    private static void AssertStrict(IEnumerable<string> lines, string sameSite)
    {
        Assert.NotEmpty(lines);
        Assert.All(lines, line =>
        {
            Assert.StartsWith("__Host-Http-gateway", line, StringComparison.Ordinal);
            var attributes = line.ToLowerInvariant().Split("; ")[1..];
            Assert.Contains("secure", attributes);
            Assert.Contains("httponly", attributes);
            Assert.Contains("path=/", attributes);
            Assert.Contains("samesite=" + sameSite, attributes);
            Assert.DoesNotContain(attributes, attribute => attribute.StartsWith("domain", StringComparison.Ordinal));
        });
    }
}

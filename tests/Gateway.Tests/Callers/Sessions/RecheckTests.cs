using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.Infrastructure.Identity;
using Gateway.Tests.RequestPath;

namespace Gateway.Tests.Callers.Sessions;

/// <summary>Tests that the provider is asked about sessions again, by two providers and on several nodes.</summary>
[Trait("Redis", "any")]
public sealed class RecheckTests(RedisServer redis) : IAsyncLifetime
{
    private const string Interval = "Authentication:Oidc:RecheckInterval";

    // OpenIddict gives refresh tokens for this scope.
    private static readonly (string Key, string? Value)[] Checked =
        [(Interval, "00:05:00"), .. Scopes("openid", "profile", "offline_access")];

    private static readonly TimeSpan Due = TimeSpan.FromMinutes(5);

    private IdentityProvider _provider = null!;

    public async ValueTask InitializeAsync() => _provider = await IdentityProvider.StartedAsync();

    public ValueTask DisposeAsync() => _provider.DisposeAsync();

    [Fact]
    public async Task A_user_who_left_a_group_loses_its_permissions_after_the_interval()
    {
        await using var world = await UserWorld.StopClockAsync(_provider, Checked);
        using var visitor = await LoggedInAsync(world);
        _provider.Users["alice"] = User.Alice with { Groups = ["survey"] };
        Assert.Equal(HttpStatusCode.OK, await visitor.StatusAsync(world.Gateway.Address, "harbour"));

        world.Clock!.Advance(Due);

        Assert.Equal(HttpStatusCode.Forbidden, await visitor.StatusAsync(world.Gateway.Address, "harbour"));
        Assert.Equal(HttpStatusCode.OK, await visitor.StatusAsync(world.Gateway.Address));
        // The next refresh token works as well.
        _provider.Users["alice"] = User.Alice;
        world.Clock.Advance(Due);
        Assert.Equal(HttpStatusCode.OK, await visitor.StatusAsync(world.Gateway.Address, "harbour"));
        Assert.Equal(2, Refreshes);
    }

    [Fact]
    public async Task A_user_whose_session_at_the_provider_ended_is_logged_out()
    {
        await using var world = await UserWorld.StopClockAsync(_provider, Checked);
        using var visitor = await LoggedInAsync(world);
        _provider.Logins.End(_ => true);

        world.Clock!.Advance(Due);

        Assert.Equal(HttpStatusCode.Unauthorized, await visitor.StatusAsync(world.Gateway.Address));
        Assert.Equal(HttpStatusCode.Unauthorized, await visitor.StatusAsync(world.Gateway.Address));
        Assert.Equal(1, Refreshes);
    }

    [Fact]
    public async Task While_the_provider_is_away_a_session_goes_on_for_one_more_interval()
    {
        await using var world = await UserWorld.StopClockAsync(_provider, Checked);
        using var visitor = await LoggedInAsync(world);
        await _provider.StopAsync();

        world.Clock!.Advance(Due);
        Assert.Equal(HttpStatusCode.OK, await visitor.StatusAsync(world.Gateway.Address));
        world.Clock.Advance(Due);
        using var refused = await visitor.JobAsync(world.Gateway.Address);
        Assert.Equal("/problems/identity-unavailable", await BoundTests.ProblemTypeAsync(refused));

        await _provider.StartAsync();
        world.Clock.Advance(TimeSpan.FromSeconds(6));
        Assert.Equal(HttpStatusCode.OK, await visitor.StatusAsync(world.Gateway.Address));
    }

    [Fact]
    public async Task Many_requests_on_several_nodes_cause_one_question_because_a_refresh_token_works_once()
    {
        await using var world = await UserWorld.StopClockAsync(
            _provider, [.. Checked, ("ConnectionStrings:Redis", redis.ConnectionString)]);
        var others = new[] { world.AddGateway(), world.AddGateway() };
        using var visitor = await LoggedInAsync(world);
        foreach (var node in others) Assert.Equal(HttpStatusCode.OK, await visitor.StatusAsync(node.Address));
        _provider.Users["alice"] = User.Alice with { Groups = ["survey"] };

        world.Clock!.Advance(Due);
        var nodes = others.Append(world.Gateway).SelectMany(node => Enumerable.Repeat(node, 5));
        var statuses = await Task.WhenAll(nodes.Select(node => visitor.StatusAsync(node.Address, "harbour")));

        Assert.All(statuses, status => Assert.Equal(HttpStatusCode.Forbidden, status));
        Assert.Equal(1, Refreshes);
        world.Clock.Advance(Due);
        Assert.Equal(HttpStatusCode.Forbidden, await visitor.StatusAsync(others[0].Address, "harbour"));
        Assert.Equal(2, Refreshes);
    }

    [Fact]
    public async Task While_the_provider_does_not_answer_requests_on_all_nodes_wait_for_it_at_most_once()
    {
        await using var world = await UserWorld.StopClockAsync(
            _provider, [.. Checked, ("ConnectionStrings:Redis", redis.ConnectionString)]);
        var nodes = new[] { world.Gateway, world.AddGateway() };
        using var visitor = await LoggedInAsync(world);
        foreach (var node in nodes) Assert.Equal(HttpStatusCode.OK, await visitor.StatusAsync(node.Address));
        await _provider.StopAsync();
        // Connections are accepted, and nothing is answered.
        using var silent = new TcpListener(IPAddress.Loopback, _provider.Address.Port);
        silent.Start();

        world.Clock!.Advance(Due);
        await Task.WhenAll(nodes.Select(node => visitor.StatusAsync(node.Address)));
        var waited = Stopwatch.StartNew();
        for (var i = 0; i < 6; i++)
        {
            foreach (var node in nodes) Assert.Equal(HttpStatusCode.OK, await visitor.StatusAsync(node.Address));
            world.Clock.Advance(TimeSpan.FromSeconds(6));
        }

        Assert.InRange(waited.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(3) + Promptness.Grace);
    }

    [Fact]
    public async Task A_stream_ends_for_a_user_who_left_the_group()
    {
        await using var world = await UserWorld.StopClockAsync(_provider, Checked);
        using var visitor = await LoggedInAsync(world);
        await using var reader = await EventReader.OpenAsync(world.Gateway.Address,
            "v0/workflows/harbour/jobs/run-3000/events", ("Cookie", $"{Visitor.SessionCookie}={visitor.Session}"),
            ("X-CSRF", "1"));
        await reader.NextAsync("job");
        _provider.Users["alice"] = User.Alice with { Groups = ["survey"] };

        world.Clock!.Advance(Due + TimeSpan.FromSeconds(1));

        var next = await reader.NextAsync();
        while (next.EventType == "job") next = await reader.NextAsync();
        Assert.Equal("problem", next.EventType);
        Assert.Contains("workflow-forbidden", next.Data, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_certified_provider_gives_new_claims_for_its_refresh_tokens()
    {
        await using var provider = new CertifiedProvider();
        await using var world = await StartAsync(provider);
        using var visitor = await LoggedInAsync(provider, world);
        for (var i = 0; i < 2; i++)
        {
            world.Clock!.Advance(Due);
            Assert.Equal(HttpStatusCode.OK, await visitor.StatusAsync(world.Gateway.Address));
        }
        await provider.StopAsync();
        await provider.StartAsync();
        // It has forgotten the refresh token.
        world.Clock!.Advance(Due);
        Assert.Equal(HttpStatusCode.Unauthorized, await visitor.StatusAsync(world.Gateway.Address));
    }

    [Fact]
    public async Task A_login_without_a_refresh_token_is_refused_if_sessions_are_checked()
    {
        await using var provider = new CertifiedProvider { GivesRefreshTokens = false };
        await using var world = await World.StartAsync(provider.Settings((Interval, "00:05:00")));
        provider.Register(world.Gateway.Address);
        await provider.StartAsync();
        using var visitor = Visitor.Of(provider.Listens);

        using var answer = await provider.LogInAsync(visitor, world.Gateway.Address);

        Assert.Equal("/problems/identity-misconfigured", await BoundTests.ProblemTypeAsync(answer));
        Assert.Contains(world.Gateway.Log.All, line => line.Contains("offline_access", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_logout_does_not_ask_the_provider()
    {
        await using var world = await UserWorld.StopClockAsync(_provider, Checked);
        using var visitor = await LoggedInAsync(world);
        await _provider.StopAsync();
        world.Clock!.Advance(2 * Due);

        await visitor.LogOutAsync(world.Gateway.Address);

        Assert.Equal(HttpStatusCode.Unauthorized, await visitor.StatusAsync(world.Gateway.Address));
    }

    [Fact]
    public async Task A_used_refresh_token_is_replaced_even_if_the_rest_of_the_check_fails()
    {
        await using var provider = new CertifiedProvider { RotatesRefreshTokens = true };
        await using var world = await StartAsync(provider);
        using var visitor = await LoggedInAsync(provider, world);
        provider.Fail("/me", 503);
        world.Clock!.Advance(Due);
        Assert.Equal(HttpStatusCode.OK, await visitor.StatusAsync(world.Gateway.Address));
        provider.Fail("/me", null);
        world.Clock.Advance(TimeSpan.FromSeconds(6));
        Assert.Equal(HttpStatusCode.OK, await visitor.StatusAsync(world.Gateway.Address));
        world.Clock.Advance(Due);
        Assert.Equal(HttpStatusCode.OK, await visitor.StatusAsync(world.Gateway.Address));
    }

    [Theory]
    [InlineData("/me", 403)]
    [InlineData("/me", 401)]
    public async Task A_user_whom_user_info_refuses_is_logged_out(string path, int status)
    {
        await using var provider = new CertifiedProvider();
        await using var world = await StartAsync(provider);
        using var visitor = await LoggedInAsync(provider, world);
        provider.Fail(path, status);

        world.Clock!.Advance(Due);

        Assert.Equal(HttpStatusCode.Unauthorized, await visitor.StatusAsync(world.Gateway.Address));
    }

    [Theory]
    [InlineData("/token", 404)]
    [InlineData("/token", 302)]
    [InlineData("/token", 500)]
    public async Task An_answer_that_is_none_of_OAuth_counts_as_a_provider_that_is_away(string path, int status)
    {
        await using var provider = new CertifiedProvider();
        await using var world = await StartAsync(provider);
        using var visitor = await LoggedInAsync(provider, world);
        provider.Fail(path, status);

        world.Clock!.Advance(Due);
        Assert.Equal(HttpStatusCode.OK, await visitor.StatusAsync(world.Gateway.Address));
        world.Clock.Advance(Due);
        using var refused = await visitor.JobAsync(world.Gateway.Address);

        Assert.Equal("/problems/identity-unavailable", await BoundTests.ProblemTypeAsync(refused));
    }

    [Fact]
    public async Task A_logout_revokes_the_refresh_token()
    {
        await using var provider = new CertifiedProvider();
        await using var world = await StartAsync(provider);
        using var visitor = await LoggedInAsync(provider, world);

        await visitor.LogOutAsync(world.Gateway.Address);

        await UntilRevokedAsync(provider, "alice");
    }

    [Fact]
    public async Task A_login_of_another_user_revokes_the_refresh_token_of_the_session_before()
    {
        await using var provider = new CertifiedProvider();
        await using var world = await StartAsync(provider);
        using var visitor = await LoggedInAsync(provider, world);
        visitor.ForgetProvider();

        using var landed = await provider.LogInAsync(visitor, world.Gateway.Address, "bob");

        Assert.Equal("/app", landed.Headers.Location?.ToString());
        using var user = await visitor.FetchAsync(world.Gateway.Address, "bff/user");
        Assert.Contains("bob", await user.Content.ReadAsStringAsync(World.Cancellation), StringComparison.Ordinal);
        await UntilRevokedAsync(provider, "alice");
    }

    [Fact]
    public async Task A_second_login_of_a_user_keeps_its_refresh_token_although_both_share_a_grant()
    {
        await using var provider = new CertifiedProvider();
        await using var world = await StartAsync(provider);
        using var visitor = await LoggedInAsync(provider, world);

        using var landed = await provider.LogInAsync(visitor, world.Gateway.Address);
        world.Clock!.Advance(Due);

        Assert.Equal(HttpStatusCode.OK, await visitor.StatusAsync(world.Gateway.Address));
    }

    [Fact]
    public async Task A_refresh_token_is_not_revoked_if_the_operator_does_not_want_it()
    {
        await using var provider = new CertifiedProvider();
        await using var world = await StartAsync(provider, ("Authentication:Oidc:RevokeRefreshTokens", "false"));
        using var visitor = await LoggedInAsync(provider, world);

        await visitor.LogOutAsync(world.Gateway.Address);

        // The provider has answered many later requests by the end of another login.
        using var landed = await provider.LogInAsync(visitor, world.Gateway.Address);
        Assert.DoesNotContain("revoked", provider.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_refresh_token_that_cannot_be_revoked_is_logged_and_the_logout_counts()
    {
        await using var provider = new CertifiedProvider();
        await using var world = await StartAsync(provider);
        using var visitor = await LoggedInAsync(provider, world);
        provider.Fail("/token/revocation", 503);

        await visitor.LogOutAsync(world.Gateway.Address);

        Assert.Equal(HttpStatusCode.Unauthorized, await visitor.StatusAsync(world.Gateway.Address));
        await Wait.UntilAsync(TimeSpan.FromSeconds(10), () => world.Gateway.Log.All.Any(
            line => line.Contains("was not revoked", StringComparison.Ordinal)), "a warning is logged");
    }

    private static Task UntilRevokedAsync(CertifiedProvider provider, string user) => Wait.UntilAsync(
        TimeSpan.FromSeconds(10), () => provider.Output.Contains($"refresh token of {user} revoked",
            StringComparison.Ordinal), "the refresh token is revoked");

    private static (string Key, string? Value)[] Scopes(params string[] scopes) =>
        [.. scopes.Select((scope, i) => ($"Authentication:Oidc:Scopes:{i}", (string?)scope))];

    private int Refreshes => _provider.Ledger.TokenCalls.Count(call => call.GrantType == "refresh_token");

    private static async Task<World> StartAsync(
        CertifiedProvider provider, params (string Key, string? Value)[] settings)
    {
        var world = await World.StopClockAsync(provider.Settings([(Interval, "00:05:00"), .. settings]));
        provider.Register(world.Gateway.Address);
        await provider.StartAsync();
        return world;
    }

    private static async Task<Visitor> LoggedInAsync(CertifiedProvider provider, World world)
    {
        var visitor = Visitor.Of(provider.Listens);
        using var landed = await provider.LogInAsync(visitor, world.Gateway.Address);
        Assert.Equal("/app", landed.Headers.Location?.ToString());
        return visitor;
    }

    private async Task<Visitor> LoggedInAsync(World world)
    {
        var visitor = Visitor.Of(_provider);
        using var landed = await visitor.LogInAsync(_provider, world.Gateway.Address);
        Assert.Equal("/app", landed.Headers.Location?.ToString());
        return visitor;
    }
}

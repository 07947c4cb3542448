using System.Net;
using System.Text.Json;
using Gateway.Callers;
using Gateway.Callers.Sessions;
using Gateway.Redis;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.Infrastructure.Identity;
using Microsoft.Extensions.DependencyInjection;

namespace Gateway.Tests.Callers.Sessions;

/// <summary>Tests back-channel logouts by the provider, and forged ones.</summary>
public sealed class BackChannelLogoutTests
{
    private const string Event = "http://schemas.openid.net/event/backchannel-logout";

    [Fact]
    public async Task An_invalid_logout_token_ends_no_session()
    {
        await using var provider = await IdentityProvider.StartedAsync();
        await using var world = await UserWorld.StartAsync(provider);
        using var visitor = Visitor.Of(provider);
        using var _ = await visitor.LogInAsync(provider, world.Gateway.Address);
        var subject = User.Alice.Subject;
        var now = DateTimeOffset.UtcNow;
        Dictionary<string, string> wrong = new()
        {
            ["an empty token"] = "",
            ["not a JWT"] = "a.b.c",
            ["an ID token"] = provider.Ledger.IdTokens[0],
            ["an access token"] = provider.AccessToken(),
            ["with a nonce"] = provider.LogoutToken(subject, change: jwt => jwt.With("nonce", "n")),
            ["without events"] = provider.LogoutToken(subject, change: jwt => jwt.Without("events")),
            ["with another event"] = provider.LogoutToken(
                subject, change: jwt => jwt.With("events", new Dictionary<string, object> { ["x"] = new { } })),
            ["with an event that is not an object"] = provider.LogoutToken(
                subject, change: jwt => jwt.With("events", new Dictionary<string, object> { [Event] = 1 })),
            ["without an issue time"] = provider.LogoutToken(subject, change: jwt => jwt with { IssuedAt = null }),
            ["without a jti"] = provider.LogoutToken(subject, change: jwt => jwt.Without("jti")),
            ["without a subject and a session"] = provider.LogoutToken(),
            ["for another client"] = provider.LogoutToken(subject, change: jwt => jwt with { Audience = "another" }),
            ["of another issuer"] = provider.LogoutToken(
                subject, change: jwt => jwt with { Issuer = "http://127.0.0.1:1/" }),
            ["expired"] = provider.LogoutToken(subject, change: jwt => jwt with { Expires = now.AddMinutes(-5) }),
            ["without an expiry"] = provider.LogoutToken(subject, change: jwt => jwt with { Expires = null }),
            ["signed by a foreign key"] = provider.LogoutToken(
                subject, change: jwt => jwt with { Key = SigningKeys.NewKey() }),
            ["unsigned"] = provider.LogoutToken(subject, change: jwt => jwt.Unsigned()),
            ["an access token's type"] = provider.LogoutToken(subject, change: jwt => jwt with { Type = "at+jwt" }),
        };
        foreach (var (what, token) in wrong)
        {
            Assert.Equal((what, 400), (what, await ClusterSessionTests.EndAsync(world.Gateway, token)));
            Assert.Equal((what, HttpStatusCode.OK), (what, await visitor.StatusAsync(world.Gateway.Address)));
        }
        Assert.Equal(200, await ClusterSessionTests.EndAsync(world.Gateway, provider.LogoutToken("somebody-else")));
        Assert.Equal(
            200, await ClusterSessionTests.EndAsync(world.Gateway, provider.LogoutToken(session: "another-login")));
        Assert.Equal(
            200, await ClusterSessionTests.EndAsync(world.Gateway, provider.LogoutToken(subject, "another-login")));
        Assert.Equal(HttpStatusCode.OK, await visitor.StatusAsync(world.Gateway.Address));

        Assert.Equal(200, await ClusterSessionTests.EndAsync(world.Gateway, provider.LogoutToken(subject)));
        Assert.Equal(HttpStatusCode.Unauthorized, await visitor.StatusAsync(world.Gateway.Address));
        // The provider may repeat a logout.
        Assert.Equal(200, await ClusterSessionTests.EndAsync(world.Gateway, provider.LogoutToken(subject)));
    }

    [Theory]
    [InlineData("application/json", """{"logout_token":"x"}""")]
    [InlineData("application/x-www-form-urlencoded", "logout_token=a&logout_token=b")]
    [InlineData("application/x-www-form-urlencoded", "other=a")]
    [InlineData("multipart/form-data", "x")]
    [InlineData("application/x-www-form-urlencoded; charset=utf-7", "logout_token=a")]
    public async Task A_request_without_a_valid_logout_form_is_400(string type, string body)
    {
        await using var provider = await IdentityProvider.StartedAsync();
        await using var world = await UserWorld.StartAsync(provider);
        using var client = world.Gateway.Client();
        using var content = new StringContent(body, System.Net.Http.Headers.MediaTypeHeaderValue.Parse(type));
        using var answer = await client.PostAsync(
            new Uri("bff/backchannel-logout", UriKind.Relative), content, World.Cancellation);
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
    }

    [Fact]
    public async Task A_login_that_started_before_a_logout_of_its_user_creates_no_session()
    {
        await using var provider = await IdentityProvider.StartedAsync();
        await using var world = await UserWorld.StartAsync(provider);
        var (sessions, order) = (world.Gateway.Services.GetRequiredService<SessionStore>(),
            world.Gateway.Services.GetRequiredService<FetchOrder>());
        var began = order.NextFetch(0);
        Assert.Equal(200, await ClusterSessionTests.EndAsync(world.Gateway, provider.LogoutToken(User.Alice.Subject)));

        Assert.Equal(Refusal.SessionEnded, await StartAsync(began));
        Assert.Equal(Refusal.None, await StartAsync(order.NextFetch(0)));

        string NewId() => world.Gateway.Services.GetRequiredService<SessionIds>().New();

        Task<Refusal> StartAsync(long at) => sessions.StartAsync(NewId(), new Session(provider.Address.AbsoluteUri,
            JsonSerializer.SerializeToElement(new { sub = User.Alice.Subject }), at,
            DateTimeOffset.UtcNow.AddHours(1)));
    }

    [Fact]
    public async Task A_form_with_two_logout_tokens_is_400()
    {
        await using var provider = await IdentityProvider.StartedAsync();
        await using var world = await UserWorld.StartAsync(provider);
        var token = provider.LogoutToken(User.Alice.Subject);
        using var client = world.Gateway.Client();
        using var form = new FormUrlEncodedContent(
            [KeyValuePair.Create("logout_token", token), KeyValuePair.Create("logout_token", token)]);
        using var answer = await client.PostAsync(
            new Uri("bff/backchannel-logout", UriKind.Relative), form, World.Cancellation);
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
    }

    [Fact]
    public async Task A_logout_body_above_the_maximum_size_is_400()
    {
        await using var provider = await IdentityProvider.StartedAsync();
        await using var world = await UserWorld.StartAsync(provider);
        Assert.Equal(400, await ClusterSessionTests.EndAsync(world.Gateway, new string('x', 100_000)));

        using var client = world.Gateway.Client();
        using var form = new FormUrlEncodedContent(new Dictionary<string, string>
        {
            ["padding"] = new string('x', 20_000),
            ["logout_token"] = provider.LogoutToken(User.Alice.Subject),
        });
        using var answer = await client.PostAsync(
            new Uri("bff/backchannel-logout", UriKind.Relative), form, World.Cancellation);
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
    }

    [Fact]
    public async Task A_logout_token_with_only_a_session_ID_ends_that_session()
    {
        await using var provider = await IdentityProvider.StartedAsync();
        await using var world = await UserWorld.StartAsync(provider);
        using var visitor = Visitor.Of(provider);
        using var _ = await visitor.LogInAsync(provider, world.Gateway.Address);
        Assert.Equal(
            200, await ClusterSessionTests.EndAsync(world.Gateway, provider.LogoutToken(session: LoginOf(provider))));
        Assert.Equal(HttpStatusCode.Unauthorized, await visitor.StatusAsync(world.Gateway.Address));
    }

    private static string LoginOf(IdentityProvider provider) =>
        new Microsoft.IdentityModel.JsonWebTokens.JsonWebToken(provider.Ledger.IdTokens[0])
            .GetPayloadValue<string>("sid");
}

using System.Net;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.Infrastructure.Identity;
using Gateway.Tests.RequestPath;

namespace Gateway.Tests.Callers.Sessions;

/// <summary>Tests how many requests anonymous callers can cause at the identity provider.</summary>
public sealed class LoginLimitTests : IAsyncLifetime
{
    private const int Many = 300;

    private readonly IdentityProvider _provider = new() { TakesPushedRequests = true };

    public async ValueTask InitializeAsync() => await _provider.StartAsync();

    public ValueTask DisposeAsync() => _provider.DisposeAsync();

    [Fact]
    public async Task Pushed_logins_from_one_source_are_limited_before_the_provider_is_requested()
    {
        await using var world = await UserWorld.StopClockAsync(_provider);
        var answers = new List<(HttpStatusCode Status, string? Type)>();
        for (var i = 0; i < Many; i++)
        {
            using var stranger = Visitor.Of(_provider);
            using var answer = await stranger.GetAsync(new Uri(world.Gateway.Address, "bff/login"));
            var isSent = answer.StatusCode == HttpStatusCode.Redirect;
            answers.Add((answer.StatusCode, isSent ? null : await BoundTests.ProblemTypeAsync(answer)));
            if (!isSent) Assert.InRange(answer.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 1, 60);
        }
        var sent = answers.Count(answer => answer.Status == HttpStatusCode.Redirect);
        Assert.Equal(120, sent);
        Assert.Equal(sent, _provider.Ledger.Requests(Endpoint.PushedAuthorization));
        Assert.Equal((HttpStatusCode.TooManyRequests, "/problems/too-many-logins"), answers[^1]);

        world.Clock!.Advance(TimeSpan.FromMinutes(1));
        using var visitor = Visitor.Of(_provider);
        using var landed = await visitor.LogInAsync(_provider, world.Gateway.Address);
        Assert.Equal(HttpStatusCode.Redirect, landed.StatusCode);
    }

    [Fact]
    public async Task Callbacks_from_one_source_are_limited_before_the_provider_is_requested()
    {
        await using var world = await UserWorld.StopClockAsync(_provider);
        // One started login yields a state and cookies that allow any number of callbacks with any code.
        using var stranger = Visitor.Of(_provider);
        using var begun = await stranger.GetAsync(new Uri(world.Gateway.Address, "bff/login"));
        var back = await stranger.AuthorizeAsync(_provider, begun.Headers.Location!, "alice");
        var cookies = string.Join("; ", stranger.SetCookies
            .Where(line => line.StartsWith("__Host-Http-gateway-", StringComparison.Ordinal))
            .Select(line => line.Split(';')[0]));
        var code = Microsoft.AspNetCore.WebUtilities.QueryHelpers.ParseQuery(back.Query)["code"].ToString();
        HttpStatusCode last = 0;
        for (var i = 0; i < Many; i++)
        {
            using var client = world.Gateway.Client(("Cookie", cookies));
            var madeUp = new Uri(back.AbsoluteUri.Replace(code, $"made-up-{i}", StringComparison.Ordinal));
            using var answer = await client.GetAsync(madeUp, World.Cancellation);
            last = answer.StatusCode;
        }
        Assert.Equal(HttpStatusCode.TooManyRequests, last);
        Assert.InRange(_provider.Ledger.Requests(Endpoint.Token), 1, 120);
    }

    [Fact]
    public async Task Invalid_logout_tokens_from_one_source_are_limited_and_the_providers_are_still_accepted()
    {
        await using var world = await UserWorld.StopClockAsync(_provider);
        Assert.Equal(200, await ClusterSessionTests.EndAsync(world.Gateway, _provider.LogoutToken("somebody")));
        var forged = _provider.LogoutToken("x", change: jwt => jwt with { Audience = "another" });
        using var stranger = Sources.Client(world.Gateway.Address, "127.0.0.2");

        var answers = new List<HttpStatusCode>();
        for (var i = 0; i < Many; i++) answers.Add(await SendAsync(stranger, forged));

        Assert.Equal(20, answers.Count(status => status == HttpStatusCode.BadRequest));
        Assert.Equal(HttpStatusCode.TooManyRequests, answers[^1]);
        // Invalid tokens from the address of the provider do not block its valid ones.
        for (var i = 0; i < 50; i++) await ClusterSessionTests.EndAsync(world.Gateway, forged);
        Assert.Equal(200, await ClusterSessionTests.EndAsync(world.Gateway, _provider.LogoutToken(User.Alice.Subject)));

        static async Task<HttpStatusCode> SendAsync(HttpClient client, string token)
        {
            using var form = new FormUrlEncodedContent(new Dictionary<string, string> { ["logout_token"] = token });
            var address = new Uri("bff/backchannel-logout", UriKind.Relative);
            using var answer = await client.PostAsync(address, form, World.Cancellation);
            return answer.StatusCode;
        }
    }

    [Fact]
    public async Task All_sources_together_are_limited_on_each_node()
    {
        await using var world = await UserWorld.StopClockAsync(_provider);
        var sent = 0;
        for (var source = 2; source < 14; source++)
        {
            using var client = Sources.Client(world.Gateway.Address, $"127.0.0.{source}");
            for (var i = 0; i < 60; i++)
            {
                using var answer = await client.GetAsync(new Uri("bff/login", UriKind.Relative), World.Cancellation);
                if (answer.StatusCode == HttpStatusCode.Redirect) sent++;
                else Assert.Equal(HttpStatusCode.TooManyRequests, answer.StatusCode);
            }
        }
        Assert.Equal(600, sent);
        Assert.Equal(sent, _provider.Ledger.Requests(Endpoint.PushedAuthorization));
    }
}

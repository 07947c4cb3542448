using System.Net;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.Infrastructure.Identity;
using Gateway.Tests.RequestPath;

namespace Gateway.Tests.Callers.Sessions;

/// <summary>Tests sessions while Redis is unavailable.</summary>
public sealed class SessionOutageTests
{
    private static readonly TimeSpan Promised = TimeSpan.FromSeconds(3) + Promptness.Grace;

    [Fact]
    public async Task Without_Redis_known_sessions_work_others_are_refused_and_a_logout_reaches_all_nodes_later()
    {
        await using var redis = new OwnRedis();
        await redis.StartAsync(persistent: true);
        await using var provider = await IdentityProvider.StartedAsync();
        await using var world = await UserWorld.StartAsync(
            provider, ("ConnectionStrings:Redis", redis.ConnectionString), ("Redis:Timeout", "00:00:00.5"));
        var (one, two) = (world.Gateway.Address, world.AddGateway().Address);
        using var visitor = Visitor.Of(provider);
        using var landed = await visitor.LogInAsync(provider, one);
        var session = visitor.Session!;
        Assert.Equal(HttpStatusCode.OK, await visitor.StatusAsync(one));

        await redis.KillAsync();
        await Wait.UntilAsync(Promised,
            async () =>
                await IsAsync(visitor.JobAsync(two), "/problems/identity-unavailable"),
                "the other node cannot look up the session");
        Assert.Equal(HttpStatusCode.OK, await visitor.StatusAsync(one));
        await Wait.UntilAsync(Promised, async () =>
        {
            // Each attempt uses a new browser, because a started login leaves cookies.
            using var another = Visitor.Of(provider);
            return await IsAsync(another.GetAsync(new Uri(one, "bff/login")), "/problems/identity-unavailable");
        }, "a login is refused");

        await visitor.LogOutAsync(one);
        visitor.Session = session;
        Assert.Equal(HttpStatusCode.Unauthorized, await visitor.StatusAsync(one));
        Assert.Equal(503, await ClusterSessionTests.EndAsync(world.Gateway, provider.LogoutToken(User.Alice.Subject)));

        await redis.StartAsync(persistent: true);
        await Wait.UntilAsync(Promised, async () => await visitor.StatusAsync(two) == HttpStatusCode.Unauthorized,
            "the session has ended on the other node");
        Assert.Equal(HttpStatusCode.Unauthorized, await visitor.StatusAsync(one));
    }

    [Fact]
    public async Task An_idle_session_remains_known_to_its_node_without_Redis()
    {
        await using var redis = new OwnRedis();
        await redis.StartAsync();
        await using var provider = await IdentityProvider.StartedAsync();
        await using var world = await UserWorld.StopClockAsync(
            provider, ("ConnectionStrings:Redis", redis.ConnectionString), ("Redis:Timeout", "00:00:00.5"));
        using Visitor idle = Visitor.Of(provider), busy = Visitor.Of(provider);
        foreach (var visitor in (Visitor[])[idle, busy]) using (
            await visitor.LogInAsync(provider, world.Gateway.Address)) { }
        await redis.KillAsync();
        for (var minutes = 0; minutes < 20; minutes += 2)
        {
            world.Clock!.Advance(TimeSpan.FromMinutes(2));
            Assert.Equal(HttpStatusCode.OK, await busy.StatusAsync(world.Gateway.Address));
        }
        Assert.Equal(HttpStatusCode.OK, await idle.StatusAsync(world.Gateway.Address));
    }

    [Fact]
    public async Task An_idle_session_is_503_after_its_idle_lifetime_without_Redis()
    {
        await using var redis = new OwnRedis();
        await redis.StartAsync();
        await using var provider = await IdentityProvider.StartedAsync();
        await using var world = await UserWorld.StopClockAsync(
            provider, ("ConnectionStrings:Redis", redis.ConnectionString), ("Redis:Timeout", "00:00:00.5"));
        using var visitor = Visitor.Of(provider);
        using var landed = await visitor.LogInAsync(provider, world.Gateway.Address);
        await redis.KillAsync();
        world.Clock!.Advance(TimeSpan.FromMinutes(29));
        Assert.Equal(HttpStatusCode.OK, await visitor.StatusAsync(world.Gateway.Address));
        world.Clock.Advance(TimeSpan.FromMinutes(30));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await visitor.StatusAsync(world.Gateway.Address));
    }

    [Fact]
    public async Task A_login_that_cannot_be_stored_in_Redis_creates_no_session()
    {
        await using var redis = new OwnRedis();
        await redis.StartAsync();
        await using var provider = await IdentityProvider.StartedAsync();
        await using var world = await UserWorld.StartAsync(
            provider, ("ConnectionStrings:Redis", redis.ConnectionString), ("Redis:Timeout", "00:00:00.5"));
        using var visitor = Visitor.Of(provider);
        using var sent = await visitor.GetAsync(new Uri(world.Gateway.Address, "bff/login"));
        var back = await visitor.AuthorizeAsync(provider, sent.Headers.Location!, "alice");
        redis.Freeze();
        Assert.True(await IsAsync(visitor.GetAsync(back), "/problems/identity-unavailable"));
        Assert.Null(visitor.Session);
        redis.Thaw();
    }

    private static async Task<bool> IsAsync(Task<HttpResponseMessage> asking, string type)
    {
        using var answer = await asking;
        return answer.StatusCode >= HttpStatusCode.BadRequest && await BoundTests.ProblemTypeAsync(answer) == type;
    }
}

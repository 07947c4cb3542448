using System.Buffers.Text;
using System.Net;
using System.Security.Cryptography;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.Infrastructure.Identity;
using Gateway.Tests.RequestPath;

namespace Gateway.Tests.Callers.Sessions;

/// <summary>Tests the cost of invented cookies and of ended sessions.</summary>
public sealed class MadeUpSessionTests : IAsyncLifetime
{
    private const int Many = 200;

    private readonly OwnRedis _redis = new();
    private IdentityProvider _provider = null!;

    public async ValueTask InitializeAsync()
    {
        await _redis.StartAsync();
        _provider = await IdentityProvider.StartedAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _provider.DisposeAsync();
        await _redis.DisposeAsync();
    }

    [Fact]
    public async Task Invented_cookies_cost_no_Redis_command_and_get_429_while_sessions_at_the_same_address_work()
    {
        await using var world = await StartAsync();
        var two = world.AddGateway();
        using var user = Visitor.Of(_provider);
        using var landed = await user.LogInAsync(_provider, world.Gateway.Address);
        await CommandStatistics.ResetAsync(_redis);

        var answers = new List<(HttpStatusCode, string)>();
        for (var i = 0; i < Many; i++)
        {
            using var stranger = Visitor.Of(_provider);
            // These are the lengths of a cookie of this version and of an earlier one.
            stranger.Session = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(i % 2 == 0 ? 132 : 32));
            using var answer = await stranger.JobAsync(two.Address);
            answers.Add((answer.StatusCode, await BoundTests.ProblemTypeAsync(answer)));
            if (answer.StatusCode == HttpStatusCode.TooManyRequests) Assert.NotNull(answer.Headers.RetryAfter);
        }

        Assert.Equal((HttpStatusCode.Unauthorized, "/problems/unauthenticated"), answers[0]);
        Assert.Equal((HttpStatusCode.TooManyRequests, "/problems/too-many-attempts"), answers[^1]);
        // On a slow machine, the limiter permits further attempts during the test.
        Assert.InRange(answers.Count(answer => answer.Item1 == HttpStatusCode.Unauthorized), 20, 60);
        Assert.Equal(0, await CommandStatistics.CountAsync(_redis, "getex"));

        // The other node has not seen this session yet.
        Assert.Equal(HttpStatusCode.OK, await user.StatusAsync(two.Address));
        Assert.Equal(1, await CommandStatistics.CountAsync(_redis, "getex"));
    }

    [Fact]
    public async Task An_ended_session_is_looked_up_in_Redis_at_most_once_per_node()
    {
        await using var world = await StartAsync();
        var two = world.AddGateway();
        using var user = Visitor.Of(_provider);
        using var landed = await user.LogInAsync(_provider, world.Gateway.Address);
        var session = user.Session!;
        await user.LogOutAsync(world.Gateway.Address);
        await _redis.CommandAsync("FLUSHALL");
        // This node did not receive the logout message.
        var three = world.AddGateway();
        await CommandStatistics.ResetAsync(_redis);
        user.Session = session;

        for (var i = 0; i < Many; i++)
        {
            Assert.Equal(HttpStatusCode.Unauthorized, await user.StatusAsync((i % 2 == 0 ? two : three).Address));
        }

        Assert.InRange(await CommandStatistics.CountAsync(_redis, "getex"), 0, 2);
    }

    private Task<World> StartAsync() =>
        UserWorld.StartAsync(_provider, ("ConnectionStrings:Redis", _redis.ConnectionString));
}

using System.Net;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.Infrastructure.Identity;

namespace Gateway.Tests.Callers.Sessions;

/// <summary>Logouts that Redis did not hear of, or has forgotten.</summary>
public sealed class LogoutOutageTests : IAsyncLifetime
{
    private static readonly TimeSpan Promised = TimeSpan.FromSeconds(5) + Promptness.Grace;

    private readonly OwnRedis _redis = new();
    private IdentityProvider _provider = null!;
    private World _world = null!;
    private GatewayNode _one = null!, _two = null!;

    public async ValueTask InitializeAsync()
    {
        await _redis.StartAsync(persistent: true);
        _provider = await IdentityProvider.StartedAsync();
        _world = await UserWorld.StartAsync(_provider,
            ("ConnectionStrings:Redis", _redis.ConnectionString), ("Redis:Timeout", "00:00:00.5"));
        (_one, _two) = (_world.Gateway, _world.AddGateway());
    }

    public async ValueTask DisposeAsync()
    {
        await _world.DisposeAsync();
        await _provider.DisposeAsync();
        await _redis.DisposeAsync();
    }

    [Fact]
    public async Task A_back_channel_logout_while_redis_is_away_counts_on_all_nodes_when_redis_is_back()
    {
        using var visitor = await LoggedInAsync();
        Assert.Equal(HttpStatusCode.OK, await visitor.StatusAsync(_two.Address));
        await _redis.KillAsync();

        Assert.Equal(503, await ClusterSessionTests.EndAsync(_one, _provider.LogoutToken(User.Alice.Subject)));
        Assert.Equal(HttpStatusCode.Unauthorized, await visitor.StatusAsync(_one.Address));
        Assert.Equal(HttpStatusCode.OK, await visitor.StatusAsync(_two.Address));

        await _redis.StartAsync(persistent: true);
        await Purging.WithinAsync(Promised, () => HasEndedAsync(visitor), "it has ended on the other node");
        var three = _world.AddGateway();
        Assert.Equal(HttpStatusCode.Unauthorized, await visitor.StatusAsync(three.Address));
    }

    [Fact]
    public async Task A_back_channel_logout_survives_a_redis_that_goes_back_to_older_data()
    {
        using var visitor = await LoggedInAsync();
        var goBack = _redis.Backup();
        Assert.Equal(200, await ClusterSessionTests.EndAsync(_one, _provider.LogoutToken(User.Alice.Subject)));
        await Purging.WithinAsync(Promised, () => HasEndedAsync(visitor), "it has ended on the other node");

        await GoBackAsync(goBack);

        await Purging.WithinAsync(Promised, async () => await KeysAsync("gateway:session-mark:*") is { Length: > 0 },
            "the mark is put back");
        var three = _world.AddGateway();
        Assert.Equal(HttpStatusCode.Unauthorized, await visitor.StatusAsync(three.Address));
    }

    [Fact]
    public async Task A_logout_survives_a_redis_that_goes_back_to_older_data()
    {
        using var visitor = await LoggedInAsync();
        var (goBack, session) = (_redis.Backup(), visitor.Session!);
        await visitor.LogOutAsync(_one.Address);
        visitor.Session = session;

        await GoBackAsync(goBack);

        await Purging.WithinAsync(Promised, async () => await KeysAsync("gateway:session:*") is { Length: 0 },
            "the session is removed again");
        var three = _world.AddGateway();
        Assert.Equal(HttpStatusCode.Unauthorized, await visitor.StatusAsync(three.Address));
    }

    private async Task<bool> HasEndedAsync(Visitor visitor) =>
        await visitor.StatusAsync(_two.Address) == HttpStatusCode.Unauthorized;

    private async Task<Visitor> LoggedInAsync()
    {
        var visitor = Visitor.Of(_provider);
        using var landed = await visitor.LogInAsync(_provider, _one.Address);
        Assert.Equal(HttpStatusCode.OK, await visitor.StatusAsync(_one.Address));
        return visitor;
    }

    // To the data of a replica or a backup that had seen the login, but not the logout.
    private async Task GoBackAsync(Action goBack)
    {
        await _redis.KillAsync();
        await Purging.WithinAsync(Promised, async () => await HealthAsync() == "Degraded", "the nodes notice");
        goBack();
        await _redis.StartAsync(persistent: true);
        await Purging.WithinAsync(Promised, async () => await HealthAsync() == "Healthy", "Redis is back");
    }

    private async Task<string> HealthAsync()
    {
        using var client = _one.Client();
        return await client.GetStringAsync(new Uri("health/ready", UriKind.Relative), World.Cancellation);
    }

    private async Task<string[]> KeysAsync(string pattern) => (string[])(await _redis.CommandAsync("KEYS", pattern))!;
}

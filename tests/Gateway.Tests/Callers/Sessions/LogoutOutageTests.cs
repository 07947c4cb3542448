using System.Net;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.Infrastructure.Identity;

namespace Gateway.Tests.Callers.Sessions;

/// <summary>Tests logouts that did not reach Redis, or that Redis has lost.</summary>
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
    public async Task A_back_channel_logout_without_Redis_takes_effect_on_all_nodes_once_Redis_is_back()
    {
        using var visitor = await LoggedInAsync();
        Assert.Equal(HttpStatusCode.OK, await visitor.StatusAsync(_two.Address));
        await _redis.KillAsync();

        Assert.Equal(503, await ClusterSessionTests.EndAsync(_one, _provider.LogoutToken(User.Alice.Subject)));
        Assert.Equal(HttpStatusCode.Unauthorized, await visitor.StatusAsync(_one.Address));
        Assert.Equal(HttpStatusCode.OK, await visitor.StatusAsync(_two.Address));

        await _redis.StartAsync(persistent: true);
        await Wait.UntilAsync(Promised, () => HasEndedAsync(visitor), "the session has ended on the other node");
        var three = _world.AddGateway();
        Assert.Equal(HttpStatusCode.Unauthorized, await visitor.StatusAsync(three.Address));
    }

    [Fact]
    public async Task A_back_channel_logout_survives_a_restore_of_older_Redis_data()
    {
        using var visitor = await LoggedInAsync();
        var goBack = _redis.Backup();
        Assert.Equal(200, await ClusterSessionTests.EndAsync(_one, _provider.LogoutToken(User.Alice.Subject)));
        await Wait.UntilAsync(Promised, () => HasEndedAsync(visitor), "the session has ended on the other node");

        await GoBackAsync(goBack);

        await Wait.UntilAsync(Promised, async () => await KeysAsync("gateway:session-mark:*") is { Length: > 0 },
            "the logout mark is restored");
        var three = _world.AddGateway();
        Assert.Equal(HttpStatusCode.Unauthorized, await visitor.StatusAsync(three.Address));
    }

    [Fact]
    public async Task A_logout_survives_a_restore_of_older_Redis_data()
    {
        using var visitor = await LoggedInAsync();
        var (goBack, session) = (_redis.Backup(), visitor.Session!);
        await visitor.LogOutAsync(_one.Address);
        visitor.Session = session;

        await GoBackAsync(goBack);

        await Wait.UntilAsync(Promised, async () => await KeysAsync("gateway:session:*") is { Length: 0 },
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

    // Restores the data of a replica or a backup that contains the login but not the logout.
    private async Task GoBackAsync(Action goBack)
    {
        await _redis.KillAsync();
        await Wait.UntilAsync(
            Promised, async () => (await HealthAsync()).StartsWith("Degraded", StringComparison.Ordinal),
            "the node reports the outage");
        goBack();
        await _redis.StartAsync(persistent: true);
        await Wait.UntilAsync(Promised, async () => await HealthAsync() == "Healthy", "the node uses Redis again");
    }

    private async Task<string> HealthAsync()
    {
        using var client = _one.Client();
        return await client.GetStringAsync(new Uri("health/ready", UriKind.Relative), World.Cancellation);
    }

    private async Task<string[]> KeysAsync(string pattern) => (string[])(await _redis.CommandAsync("KEYS", pattern))!;
}

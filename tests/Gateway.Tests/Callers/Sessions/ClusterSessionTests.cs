using System.Net;
using System.Text.Json;
using Gateway.Callers.Sessions;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.Infrastructure.Identity;
using Gateway.Tests.RequestPath;
using Microsoft.Extensions.DependencyInjection;
using StackExchange.Redis;

namespace Gateway.Tests.Callers.Sessions;

/// <summary>Tests sessions on several nodes with one Redis.</summary>
[Trait("Redis", "any")]
public sealed class ClusterSessionTests(RedisServer redis) : IAsyncLifetime
{
    private static readonly TimeSpan Promised = TimeSpan.FromSeconds(1) + Promptness.Grace;

    private IdentityProvider _provider = null!;
    private World _world = null!;
    private GatewayNode _one = null!, _two = null!;

    public async ValueTask InitializeAsync()
    {
        _provider = await IdentityProvider.StartedAsync();
        _world = await UserWorld.StartAsync(_provider, ("ConnectionStrings:Redis", redis.ConnectionString));
        (_one, _two) = (_world.Gateway, _world.AddGateway());
        _provider.Register(_two.Address);
    }

    public async ValueTask DisposeAsync()
    {
        await _world.DisposeAsync();
        await _provider.DisposeAsync();
    }

    [Fact]
    public async Task A_login_on_one_node_creates_a_session_on_every_node()
    {
        using var visitor = await LoggedInAsync();
        Assert.Equal(HttpStatusCode.OK, await visitor.StatusAsync(_two.Address));
        Assert.Equal(HttpStatusCode.OK, await visitor.StatusAsync(_one.Address));
    }

    [Fact]
    public async Task The_user_endpoint_can_be_asked_on_any_node_without_extending_the_session()
    {
        using var visitor = await LoggedInAsync();
        var left = new List<TimeSpan>();
        foreach (var node in (GatewayNode[])[_one, _two, _two, _one])
        {
            using var answer = await visitor.FetchAsync(node.Address, "bff/user?extend=false");
            var user = JsonElement.Parse(await answer.Content.ReadAsStringAsync(World.Cancellation));
            left.Add(user.GetProperty("idleExpiresAt").GetDateTimeOffset() - DateTimeOffset.UtcNow);
            await Task.Delay(1100, World.Cancellation);
        }
        Assert.True(left[^1] < left[0] - TimeSpan.FromSeconds(3), string.Join(", ", left));
        Assert.True(left[1] < left[0] - TimeSpan.FromSeconds(1), string.Join(", ", left));
    }

    [Fact]
    public async Task A_login_may_start_on_one_node_and_finish_on_another()
    {
        // Behind a load balancer, both nodes have one callback address. The provider redeems a code only for the
        // address that the login started with.
        var balancer = _one.Address;
        using var visitor = Visitor.Of(_provider);
        using var sent = await visitor.SendAsync(
            HttpMethod.Get, new Uri(_two.Address, "bff/login?returnUrl=/app"), null, ("Host", balancer.Authority));
        var back = await visitor.AuthorizeAsync(_provider, sent.Headers.Location!, "alice");
        Assert.Equal(balancer.Authority, back.Authority);
        using var landed = await visitor.GetAsync(back);
        Assert.Equal("/app", landed.Headers.Location?.ToString());
        Assert.Equal(HttpStatusCode.OK, await visitor.StatusAsync(_two.Address));
    }

    [Fact]
    public async Task Logins_work_across_nodes_after_Redis_has_lost_the_data_protection_keys()
    {
        await using var own = new OwnRedis();
        await own.StartAsync();
        await using var world = await UserWorld.StartAsync(
            _provider, ("ConnectionStrings:Redis", own.ConnectionString));
        using var before = Visitor.Of(_provider);
        using var landed = await before.LogInAsync(_provider, world.Gateway.Address);
        Assert.Equal(HttpStatusCode.Redirect, landed.StatusCode);
        await own.CommandAsync("FLUSHALL");
        var newer = world.AddGateway();

        foreach (var (from, to) in ((GatewayNode, GatewayNode)[])[(world.Gateway, newer), (newer, world.Gateway)])
        {
            _provider.Register(to.Address);
            await Wait.UntilAsync(
                Promised, async () => await CanLogInAsync(from, to),
                "a login starts on one node and finishes on the other");
        }

        async Task<bool> CanLogInAsync(GatewayNode from, GatewayNode to)
        {
            using var visitor = Visitor.Of(_provider);
            using var sent = await visitor.SendAsync(
                HttpMethod.Get, new Uri(from.Address, "bff/login"), null, ("Host", to.Address.Authority));
            using var end = await visitor.GetAsync(
                await visitor.AuthorizeAsync(_provider, sent.Headers.Location!, "alice"));
            return end.StatusCode == HttpStatusCode.Redirect;
        }
    }

    [Fact]
    public async Task Each_data_protection_key_is_stored_in_Redis_once()
    {
        await using var own = new OwnRedis();
        await own.StartAsync();
        await using var world = await UserWorld.StartAsync(
            _provider, ("ConnectionStrings:Redis", own.ConnectionString));
        world.AddGateway();
        await CommandStatistics.ResetAsync(own);
        await Wait.UntilAsync(TimeSpan.FromSeconds(10),
            async () => await CommandStatistics.CountAsync(own, "lrange") >= 6, "both nodes have compared keys again");
        var stored = (string[])(await own.CommandAsync("LRANGE", "gateway:data-protection", "0", "-1"))!;
        Assert.NotEmpty(stored);
        Assert.Equal(stored.Distinct(), stored);
    }

    [Fact]
    public async Task A_logout_on_one_node_ends_the_session_on_all_nodes()
    {
        using var visitor = await LoggedInAsync();
        Assert.Equal(HttpStatusCode.OK, await visitor.StatusAsync(_two.Address));
        var stolen = visitor.Session!;
        await visitor.LogOutAsync(_one.Address);
        visitor.Session = stolen;
        Assert.Equal(HttpStatusCode.Unauthorized, await visitor.StatusAsync(_one.Address));
        await Wait.UntilAsync(Promised,
            async () => await visitor.StatusAsync(_two.Address) == HttpStatusCode.Unauthorized,
            "the session ends on the other node");
    }

    [Fact]
    public async Task A_restart_of_all_nodes_ends_no_session()
    {
        using var visitor = await LoggedInAsync();
        await _one.DisposeAsync();
        await _two.DisposeAsync();
        var three = _world.AddGateway();
        Assert.Equal(HttpStatusCode.OK, await visitor.StatusAsync(three.Address));
    }

    [Fact]
    public async Task Use_on_one_node_extends_a_session_on_all_nodes()
    {
        using var visitor = await LoggedInAsync();
        await using var connection = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString);
        var (key, database) = ($"gateway:session:{World.Sha256(visitor.Session!)}", connection.GetDatabase());
        Assert.InRange((await database.KeyTimeToLiveAsync(key))!.Value.TotalMinutes, 29, 30);
        await database.KeyExpireAsync(key, TimeSpan.FromSeconds(20));

        Assert.Equal(HttpStatusCode.OK, await visitor.StatusAsync(_two.Address));

        Assert.InRange((await database.KeyTimeToLiveAsync(key))!.Value.TotalMinutes, 29, 30);
    }

    [Fact]
    public async Task A_session_ends_on_all_nodes_at_its_absolute_lifetime_even_if_it_is_in_use()
    {
        await using var world = await StopClockAsync(("Authentication:Oidc:AbsoluteLifetime", "01:00:00"));
        var two = world.AddGateway().Address;
        using var visitor = Visitor.Of(_provider);
        using var _ = await visitor.LogInAsync(_provider, world.Gateway.Address);
        world.Clock!.Advance(TimeSpan.FromMinutes(59));
        Assert.Equal(HttpStatusCode.OK, await visitor.StatusAsync(two));
        world.Clock.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal(HttpStatusCode.Unauthorized, await visitor.StatusAsync(two));
        Assert.Equal(HttpStatusCode.Unauthorized, await visitor.StatusAsync(world.Gateway.Address));
    }

    [Fact]
    public async Task A_logout_whose_message_was_lost_takes_effect_after_five_seconds()
    {
        await using var world = await StopClockAsync();
        using var visitor = Visitor.Of(_provider);
        using var _ = await visitor.LogInAsync(_provider, world.Gateway.Address);
        await using var connection = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString);
        Assert.True(await connection.GetDatabase().KeyDeleteAsync($"gateway:session:{World.Sha256(visitor.Session!)}"));
        world.Clock!.Advance(TimeSpan.FromSeconds(4));
        Assert.Equal(HttpStatusCode.OK, await visitor.StatusAsync(world.Gateway.Address));
        world.Clock.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(HttpStatusCode.Unauthorized, await visitor.StatusAsync(world.Gateway.Address));
    }

    [Fact]
    public async Task Logout_marks_have_hashed_names_and_last_as_long_as_sessions()
    {
        var (subject, login) = ($"{Guid.NewGuid():N}", $"{Guid.NewGuid():N}");
        await using var connection = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString);
        var before = await MarksAsync();
        Assert.Equal(200, await EndAsync(_one, _provider.LogoutToken(subject)));
        Assert.Equal(200, await EndAsync(_one, _provider.LogoutToken(session: login)));
        var marks = (await MarksAsync()).Except(before).ToList();
        Assert.True(marks.Count >= 2);
        foreach (var mark in marks)
        {
            Assert.DoesNotMatch($"{subject}|{login}", mark.ToString());
            Assert.InRange((await connection.GetDatabase().KeyTimeToLiveAsync(mark))!.Value.TotalHours, 7.9, 8);
        }

        async Task<List<RedisKey>> MarksAsync() =>
            await connection.GetServers()[0].KeysAsync(pattern: "gateway:session-mark:*")
                .ToListAsync(World.Cancellation);
    }

    [Fact]
    public async Task Redis_contains_neither_session_IDs_nor_tokens()
    {
        using var visitor = await LoggedInAsync();
        await using var connection = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString);
        var database = connection.GetDatabase();
        var seen = 0;
        await foreach (var key in connection.GetServers()[0].KeysAsync(pattern: "gateway:*"))
        {
            if (await database.KeyTypeAsync(key) != RedisType.String) continue;
            var value = (string)(await database.StringGetAsync(key))!;
            if (value is null) continue;
            seen++;
            foreach (
                var secret in (string[])[visitor.Session!, IdentityProvider.ClientSecret, .. _provider.Ledger.Tokens])
            {
                Assert.DoesNotContain(secret, key.ToString() + value, StringComparison.Ordinal);
            }
        }
        Assert.True(seen > 0);
    }

    [Theory]
    [InlineData("no JSON")]
    [InlineData("{}")]
    [InlineData("null")]
    [InlineData("""{"Issuer":"x","Claims":[]}""")]
    [InlineData("""{"Issuer":"x","Claims":[],"Order":9000000000000000000,"EndsAt":"2099-01-01T00:00:00Z"}""")]
    [InlineData("""{"Claims":{"groups":["mapping"]},"Order":9000000000000000000,"EndsAt":"2099-01-01T00:00:00Z"}""")]
    public async Task An_invalid_session_in_Redis_is_401(string planted)
    {
        using var visitor = Visitor.Of(_provider);
        visitor.Session = _one.Services.GetRequiredService<SessionIds>().New();
        await using var connection = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString);
        await connection.GetDatabase().StringSetAsync($"gateway:session:{World.Sha256(visitor.Session)}", planted);
        Assert.Equal(HttpStatusCode.Unauthorized, await visitor.StatusAsync(_one.Address));
    }

    [Fact]
    public async Task The_provider_can_end_one_session_or_all_sessions_of_a_user_on_all_nodes()
    {
        using Visitor first = await LoggedInAsync("alice"), second = await LoggedInAsync("alice"),
            other = await LoggedInAsync("bob");
        foreach (var visitor in (Visitor[])[first, second, other])
        {
            Assert.Equal(HttpStatusCode.OK, await visitor.StatusAsync(_two.Address));
        }
        var session = new Microsoft.IdentityModel.JsonWebTokens.JsonWebToken(_provider.Ledger.IdTokens[0])
            .GetPayloadValue<string>("sid");

        Assert.Equal(200, await EndAsync(_one, _provider.LogoutToken(User.Alice.Subject, session)));
        await Wait.UntilAsync(Promised,
            async () => await first.StatusAsync(_two.Address) == HttpStatusCode.Unauthorized, "the session has ended");
        Assert.Equal(HttpStatusCode.OK, await second.StatusAsync(_two.Address));

        Assert.Equal(200, await EndAsync(_two, _provider.LogoutToken(User.Alice.Subject)));
        await Wait.UntilAsync(Promised,
            async () => await second.StatusAsync(_one.Address) == HttpStatusCode.Unauthorized,
            "all sessions of the user have ended");
        Assert.Equal(HttpStatusCode.OK, await other.StatusAsync(_two.Address));
    }

    private Task<World> StopClockAsync(params (string, string?)[] settings) =>
        UserWorld.StopClockAsync(_provider, [("ConnectionStrings:Redis", redis.ConnectionString), .. settings]);

    private async Task<Visitor> LoggedInAsync(string user = "alice")
    {
        var visitor = Visitor.Of(_provider);
        using var landed = await visitor.LogInAsync(_provider, _one.Address, user);
        var failures = _one.Log.All.Where(line => line.Contains("A login failed", StringComparison.Ordinal));
        Assert.True(landed.StatusCode == HttpStatusCode.Redirect, string.Join('\n', failures));
        return visitor;
    }

    internal static async Task<int> EndAsync(GatewayNode node, string token)
    {
        using var client = node.Client();
        using var form = new FormUrlEncodedContent(new Dictionary<string, string> { ["logout_token"] = token });
        using var answer = await client.PostAsync(
            new Uri("bff/backchannel-logout", UriKind.Relative), form, World.Cancellation);
        Assert.True(answer.Headers.CacheControl?.NoStore);
        if (!answer.IsSuccessStatusCode) await BoundTests.ProblemTypeAsync(answer);
        return (int)answer.StatusCode;
    }
}

using System.Net;
using Gateway.Tests.Admin;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.Infrastructure.Identity;
using StackExchange.Redis;

namespace Gateway.Tests.Redis;

/// <summary>A Redis that other environments use too, or that grants the gateway only what it needs.</summary>
public sealed class SharedRedisTests
{
    [Fact]
    public async Task Environments_with_different_prefixes_share_a_Redis_and_nothing_else()
    {
        await using var redis = new OwnRedis();
        await redis.StartAsync();
        await using var provider = await IdentityProvider.StartedAsync();
        await using var world = await World.WithoutGatewayAsync(clock: null, UserWorld.Settings(provider,
            [.. World.DefaultAccount, .. Purging.Operator, ("ConnectionStrings:Redis", redis.ConnectionString)]));
        GatewayNode blue = world.AddGateway(("Redis:Prefix", "blue:")), sameBlue = world.AddGateway(
            ("Redis:Prefix", "blue:")), green = world.AddGateway(("Redis:Prefix", "green/"));
        foreach (var node in (GatewayNode[])[blue, sameBlue, green]) provider.Register(node.Address);
        var job = $"finished-{Guid.NewGuid():N}";

        foreach (var node in (GatewayNode[])[blue, sameBlue, green]) (await World.GetAsync(node, job)).Dispose();
        Assert.Equal(2, world.Upstream.Ledger.Total);

        Assert.Equal((1, 1), await Purging.CountAsync(blue, "default/survey-1"));
        await Wait.UntilAsync(Purging.Promised, async () => !await Purging.IsHitAsync(sameBlue, job), "purged");
        Assert.True(await Purging.IsHitAsync(green, job));

        using Visitor one = Visitor.Of(provider), other = Visitor.Of(provider);
        using var landed = await one.LogInAsync(provider, blue.Address);
        using var landedToo = await other.LogInAsync(provider, green.Address);
        var token = provider.LogoutToken(User.Alice.Subject);
        Assert.Equal(200, await Callers.Sessions.ClusterSessionTests.EndAsync(blue, token));
        await Wait.UntilAsync(Purging.Promised,
            async () => await one.StatusAsync(blue.Address) == HttpStatusCode.Unauthorized, "the blue session ends");
        Assert.Equal(HttpStatusCode.OK, await other.StatusAsync(green.Address));

        await using var connection = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString);
        var server = connection.GetServers()[0];
        await foreach (var key in server.KeysAsync()) Assert.Matches("^(blue:|green/)", key.ToString());
        Assert.All(await server.SubscriptionChannelsAsync(),
            channel => Assert.Matches("^(blue:|green/|__Booksleeve)", channel.ToString()));
    }

    [Fact]
    public async Task The_documented_rights_suffice()
    {
        await using var redis = new OwnRedis();
        await redis.StartAsync();
        await redis.CommandAsync("ACL", ["SETUSER", "gateway", "on", ">secret-0123", .. DocumentedRights()]);
        await using var provider = await IdentityProvider.StartedAsync();
        await using var world = await UserWorld.StartAsync(provider,
            [.. World.DefaultAccount, .. Purging.Operator,
                ("ConnectionStrings:Redis", $"{redis.ConnectionString},user=gateway,password=secret-0123")]);
        var other = world.AddGateway();
        provider.Register(other.Address);

        foreach (var job in (string[])["finished-1", "run-30", "failed-1", "nowhere-1"])
        {
            foreach (var node in (GatewayNode[])[world.Gateway, other])
            {
                using var answer = await World.GetAsync(node, job);
                Assert.True(answer.StatusCode is HttpStatusCode.OK or HttpStatusCode.NotFound);
            }
        }
        var explained = await Reports.GetAsync(other, "admin/jobs/default/survey-1/finished-1");
        Assert.Equal("available", explained.Of("redis.state"));
        Assert.Equal("cluster", (await Reports.GetAsync(other, "admin/usage?hours=168")).Of("scope"));
        await Purging.SoftAsync(world.Gateway, "default/survey-1");
        await Purging.CountAsync(world.Gateway, "default/survey-1/finished-1");
        await Purging.CountAsync(world.Gateway, "");
        using var visitor = Visitor.Of(provider);
        using var landed = await visitor.LogInAsync(provider, world.Gateway.Address);
        Assert.Equal(HttpStatusCode.OK, await visitor.StatusAsync(other.Address));
        await visitor.LogOutAsync(other.Address);
        await Wait.UntilAsync(Purging.Promised,
            async () => await visitor.StatusAsync(world.Gateway.Address) == HttpStatusCode.Unauthorized, "logged out");
        await Task.Delay(TimeSpan.FromSeconds(2), World.Cancellation);

        var denied = (RedisResult[])(await redis.CommandAsync("ACL", "LOG"))!;
        // The client asks for these when it connects, and does without them.
        Assert.All(denied.Select(entry => string.Join(' ', (string[])entry!)),
            entry => Assert.Matches("object (config|cluster)", entry));
    }

    [Fact]
    public async Task A_user_without_channels_is_named_and_purges_still_reach_all_nodes()
    {
        await using var redis = new OwnRedis();
        await redis.StartAsync();
        await redis.CommandAsync("ACL", "SETUSER", "gateway", "on", ">secret-0123", "~*", "+@all", "resetchannels");
        await using var world = await World.StartAsync([.. World.DefaultAccount, .. Purging.Operator,
            ("ConnectionStrings:Redis", $"{redis.ConnectionString},user=gateway,password=secret-0123")]);
        var other = world.AddGateway();
        using var client = world.Gateway.Client();
        var health = await client.GetStringAsync(new Uri("health/ready", UriKind.Relative), World.Cancellation);
        Assert.Equal(
            "Degraded\nThe user of Redis may not use the channels gateway:*; changes reach this node late", health);
        Assert.Contains(world.Gateway.Log.All, line => line.Contains("gateway:*", StringComparison.Ordinal));
        foreach (var node in (GatewayNode[])[world.Gateway, other])
        {
            (await World.GetAsync(node, "finished-1")).Dispose();
        }

        using var answer = await Purging.PurgeAsync(world.Gateway, "default");

        Assert.Contains("find the purge within a second",
            await answer.Content.ReadAsStringAsync(World.Cancellation), StringComparison.Ordinal);
        await Wait.UntilAsync(
            Purging.Promised, async () => !await Purging.IsHitAsync(other, "finished-1"), "purged");
    }

    [Theory]
    [InlineData("-hset")]
    [InlineData("-eval", "-evalsha")]
    public async Task Rights_that_scripts_lack_are_named(params string[] denied)
    {
        await using var redis = new OwnRedis();
        await redis.StartAsync();
        await redis.CommandAsync(
            "ACL", ["SETUSER", "gateway", "on", ">secret-0123", "~*", "&*", "+@all", .. denied]);
        await using var world = await World.StartAsync(
            ("ConnectionStrings:Redis", $"{redis.ConnectionString},user=gateway,password=secret-0123"));
        using var client = world.Gateway.Client();

        await Wait.UntilAsync(TimeSpan.FromSeconds(20), async () =>
        {
            (await World.GetAsync(world.Gateway, $"run-60-{Guid.NewGuid():N}")).Dispose();
            return await client.GetStringAsync(new Uri("health/ready", UriKind.Relative), World.Cancellation)
                == "Degraded\nThe user of Redis may not use commands or keys that the gateway needs";
        }, "the health names the rights");
    }

    // The line of docs/redis.md that begins with "~gateway:*".
    private static object[] DocumentedRights() =>
        [.. File.ReadAllLines(Path.Combine(Repository.Root, "docs", "redis.md")).Single(
            line => line.Contains("~gateway:*", StringComparison.Ordinal)).Trim().Split(' ')];
}

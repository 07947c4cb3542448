using System.Collections.Concurrent;
using System.Net;
using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.Redis;

/// <summary>A Redis whose master changes while nodes use it.</summary>
[Collection(nameof(Alone))]
public sealed class OtherMasterTests
{
    private static readonly TimeSpan Promised = TimeSpan.FromSeconds(5) + Promptness.Grace;

    [Fact]
    public async Task A_node_finds_the_new_master_when_the_sentinels_have_promoted_it()
    {
        await using var redis = await RedisSentinels.StartAsync();
        await using var world = await WorldAsync(redis.ConnectionString);
        await AssertStoresAsync(world.Gateway, redis.First);

        await redis.FailOverAsync();

        await AssertStoresAsync(world.Gateway, redis.Second);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Hits_are_as_fast_as_before_while_the_sentinels_promote_another_master(bool isFrozen)
    {
        await using var redis = await RedisSentinels.StartAsync();
        await using var world = await World.WithoutGatewayAsync(clock: null, [.. World.DefaultAccount,
            ("ConnectionStrings:Redis", redis.ConnectionString)]);
        await using var nodes = await GatewayProcesses.StartAsync(world, 1);
        await nodes.WarmUpAsync();
        var job = $"finished-{Guid.NewGuid():N}";
        await nodes.GetAsync(0, job);
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(World.Cancellation);
        var times = new ConcurrentBag<double>();
        var reading = Task.WhenAll(Enumerable.Range(0, 4).Select(async _ =>
        {
            while (!enough.IsCancellationRequested)
            {
                var answer = await nodes.GetAsync(0, job);
                Assert.Equal(HttpStatusCode.OK, answer.Status);
                times.Add(answer.Time.TotalMilliseconds);
                await Task.Delay(5, World.Cancellation);
            }
        }));
        await redis.FailOverAsync(isFrozen);
        await Task.Delay(TimeSpan.FromSeconds(5), World.Cancellation);
        await enough.CancelAsync();
        await reading;

        var sorted = times.Order().ToArray();
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{sorted.Length} hits: p99 {sorted[sorted.Length * 99 / 100]:0.0} ms, slowest {sorted[^1]:0} ms");
        Assert.InRange(sorted[sorted.Length * 99 / 100], 0, 50);
        Assert.InRange(sorted[^1], 0, 1000);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_node_leaves_a_master_that_has_become_a_replica(bool areBothNamed)
    {
        await using OwnRedis old = new(), next = new();
        await old.StartAsync();
        await next.StartAsync();
        await next.CommandAsync("REPLICAOF", "127.0.0.1", old.Port);
        // A name that leads to another server from a certain moment on, for new connections only.
        await using var name = new RedisProxy(old.Port);
        await using var world = await WorldAsync(areBothNamed
            ? $"{old.ConnectionString},{next.ConnectionString}" : name.ConnectionString);
        await AssertStoresAsync(world.Gateway, old);

        name.Target = next.Port;
        await next.CommandAsync("REPLICAOF", "NO", "ONE");
        await old.CommandAsync("REPLICAOF", "127.0.0.1", next.Port);

        await AssertStoresAsync(world.Gateway, next);
    }

    [Fact]
    public async Task A_node_follows_a_name_to_another_master()
    {
        var port = ChildProcess.FreePort();
        await using OwnRedis old = new("127.0.0.1", port), next = new("127.0.0.2", port);
        await old.StartAsync();
        await next.StartAsync();
        await next.CommandAsync("REPLICAOF", "127.0.0.1", port);
        var hosts = Path.GetTempFileName();
        await File.WriteAllTextAsync(hosts, "127.0.0.1 localhost redis.test\n", World.Cancellation);
        await using var world = await World.WithoutGatewayAsync(clock: null, [.. World.DefaultAccount,
            ("ConnectionStrings:Redis", $"redis.test:{port}")]);
        await using var node = await GatewayProcess.StartWithHostsAsync(world.Environment(), hosts);
        using var client = node.Client();
        await AssertStoresAsync(client, old);

        await File.WriteAllTextAsync(hosts, "127.0.0.1 localhost\n127.0.0.2 redis.test\n", World.Cancellation);
        await next.CommandAsync("REPLICAOF", "NO", "ONE");
        await old.CommandAsync("REPLICAOF", "127.0.0.2", port);

        await AssertStoresAsync(client, next);
        File.Delete(hosts);
    }

    [Fact]
    public async Task A_new_password_is_used_for_the_next_connection_without_a_restart()
    {
        await using var redis = new OwnRedis();
        await redis.StartAsync();
        // A connection with a wrong password is one of the default user.
        await redis.CommandAsync("ACL", "SETUSER", "default", "resetkeys", "%R~*");
        await redis.CommandAsync("ACL", "SETUSER", "node", "on", ">first", "~*", "&*", "+@all");
        await using var world = await WorldAsync($"{redis.ConnectionString},user=node,password=first");
        await AssertStoresAsync(world.Gateway, redis);
        // A connection with a wrong password is one of the default user.
        await redis.CommandAsync("ACL", "SETUSER", "default", "resetkeys", "%R~*");
        await redis.CommandAsync("ACL", "SETUSER", "node", "resetpass", ">second");
        world.Gateway.Reconfigure(
            ("ConnectionStrings:Redis", $"{redis.ConnectionString},user=node,password=second"));
        await redis.CommandAsync("CLIENT", "KILL", "USER", "node");

        await AssertStoresAsync(world.Gateway, redis);
    }

    private static Task<World> WorldAsync(string redis) => World.StartAsync(
        [.. World.DefaultAccount, ("ConnectionStrings:Redis", redis)]);

    private static async Task AssertStoresAsync(GatewayNode node, OwnRedis redis)
    {
        using var client = node.Client(("X-Api-Key", World.MappingKey));
        await AssertStoresAsync(client, redis);
    }

    // A finished job must be in the server's memory soon after it was read.
    private static async Task AssertStoresAsync(HttpClient client, OwnRedis redis)
    {
        await Wait.UntilAsync(Promised, async () =>
        {
            var job = $"finished-{Guid.NewGuid():N}";
            (await client.GetAsync(
                new Uri($"v0/workflows/survey-1/jobs/{job}", UriKind.Relative), World.Cancellation)).Dispose();
            return await redis.CommandAsync("EXISTS", $"gateway:{{default/survey-1/{job}}}:finished") is { } found
                && (int)found == 1;
        }, "the server gets what the node stores");
        await Wait.UntilAsync(Promised, async () => await client.GetStringAsync(
            new Uri("health/ready", UriKind.Relative), World.Cancellation) == "Healthy", "the node is healthy");
    }
}

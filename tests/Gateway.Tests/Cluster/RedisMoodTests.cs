using System.Diagnostics;
using Gateway.Tests.Infrastructure;
using StackExchange.Redis;

namespace Gateway.Tests.Cluster;

/// <summary>
/// Redis in every bad mood, with two nodes under load: nobody gets anything wrong or an error, nobody waits for it
/// longer than agreed, the log stays short, and in the end the nodes share again. <c>bench/redis-moods</c> prints the
/// numbers.
/// </summary>
[Collection(nameof(Alone))]
public sealed class RedisMoodTests : IAsyncLifetime
{
    private static readonly TimeSpan Bad = TimeSpan.FromSeconds(2);

    private readonly OwnRedis _redis = new();

    [Fact]
    public async Task Absent_at_the_start()
    {
        var starting = Stopwatch.StartNew();
        await using var mood = await RedisMood.StartAsync("absent at start", _redis.ConnectionString);
        Assert.InRange(starting.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(8));
        await mood.RideAsync(async () =>
        {
            await BadTimeAsync();
            await _redis.StartAsync();
        });
        await mood.VerifyAsync();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Killed_and_restarted(bool persistent)
    {
        await _redis.StartAsync(persistent);
        await using var mood = await RedisMood.StartAsync(persistent ? "killed, back with data" : "killed, back empty", _redis.ConnectionString);
        await mood.RideAsync(async () =>
        {
            await _redis.KillAsync();
            await BadTimeAsync();
            await _redis.StartAsync(persistent);
        });
        await mood.VerifyAsync();
    }

    [Fact]
    public async Task Accepting_and_never_answering() =>
        await BehindProxyAsync("never answering", async proxy =>
        {
            proxy.FallSilent();
            await BadTimeAsync();
        });

    [Fact]
    public async Task Stopped_where_it_is()
    {
        await _redis.StartAsync();
        await using var mood = await RedisMood.StartAsync("stopped", _redis.ConnectionString);
        await mood.RideAsync(async () =>
        {
            _redis.Freeze();
            await BadTimeAsync();
            _redis.Thaw();
        });
        await mood.VerifyAsync();
    }

    [Fact]
    public async Task Half_a_second_slow() =>
        await BehindProxyAsync("500 ms slow", async proxy =>
        {
            proxy.SlowDown();
            await BadTimeAsync();
        });

    [Fact]
    public async Task Flapping_every_second() => await BehindProxyAsync("flapping", proxy => proxy.FlapAsync(times: 2));

    [Fact]
    public async Task Out_of_memory()
    {
        await _redis.StartAsync();
        await using var mood = await RedisMood.StartAsync("out of memory", _redis.ConnectionString);
        await mood.RideAsync(async () =>
        {
            await _redis.CommandAsync("SET", "ballast", new string('x', 2_000_000));
            await _redis.CommandAsync("CONFIG", "SET", "maxmemory", "1mb");
            var refusal = await Assert.ThrowsAsync<RedisServerException>(() => _redis.CommandAsync("SET", "more", "x"));
            Assert.StartsWith("OOM", refusal.Message, StringComparison.Ordinal);
            var stored = await StoredAsync();
            await BadTimeAsync();
            // What was under way has ended meanwhile, and nothing went past the limit.
            Assert.Equal(stored, await StoredAsync());
            await _redis.CommandAsync("CONFIG", "SET", "maxmemory", "0");
        });
        await mood.VerifyAsync();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_read_only_replica(bool hasMaster)
    {
        await using var master = new OwnRedis();
        if (hasMaster) await master.StartAsync();
        await _redis.StartAsync();
        await using var mood = await RedisMood.StartAsync(hasMaster ? "replica of a master" : "replica of nobody", _redis.ConnectionString);
        await mood.RideAsync(async () =>
        {
            await _redis.CommandAsync("REPLICAOF", "127.0.0.1", $"{master.Port}");
            await BadTimeAsync();
            await _redis.CommandAsync("REPLICAOF", "NO", "ONE");
        });
        await mood.VerifyAsync();
    }

    [Fact]
    public async Task Connections_killed()
    {
        await _redis.StartAsync();
        await using var mood = await RedisMood.StartAsync("connections killed", _redis.ConnectionString);
        await mood.RideAsync(async () =>
        {
            for (var i = 0; i < 4; i++)
            {
                await _redis.CommandAsync("CLIENT", "KILL", "TYPE", "normal");
                await _redis.CommandAsync("CLIENT", "KILL", "TYPE", "pubsub");
                await Task.Delay(Bad / 4, World.Cancellation);
            }
        });
        await mood.VerifyAsync();
    }

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => _redis.DisposeAsync();

    private async Task<int> StoredAsync() =>
        ((string[])(await _redis.CommandAsync("KEYS", "*}"))!).Length;

    private static Task BadTimeAsync() => Task.Delay(Bad, World.Cancellation);

    private async Task BehindProxyAsync(string name, Func<RedisProxy, Task> makeBad)
    {
        await _redis.StartAsync();
        await using var proxy = new RedisProxy(_redis.Port);
        await using var mood = await RedisMood.StartAsync(name, proxy.ConnectionString);
        await mood.RideAsync(async () =>
        {
            await makeBad(proxy);
            proxy.GetWell();
        });
        await mood.VerifyAsync();
    }
}

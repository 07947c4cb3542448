using System.Diagnostics;
using Gateway.Tests.Infrastructure;
using StackExchange.Redis;

namespace Gateway.Tests.Cluster;

/// <summary>
/// Every fault of Redis with two nodes under load: all answers are correct and without errors, no request waits for
/// Redis longer than its timeout, the log stays short, and the nodes share jobs again at the end.
/// <c>bench/redis-moods</c> prints the numbers.
/// </summary>
[Collection(nameof(Alone))]
public sealed class RedisMoodTests : IAsyncLifetime
{
    private static readonly TimeSpan FaultTime = TimeSpan.FromSeconds(2);

    private readonly OwnRedis _redis = new();

    [Fact]
    public async Task Jobs_are_answered_while_Redis_is_absent_at_the_start()
    {
        var starting = Stopwatch.StartNew();
        await using var mood = await RedisMood.StartAsync("absent at start", _redis.ConnectionString);
        Assert.InRange(starting.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(8));
        await mood.RunAsync(async () =>
        {
            await FaultTimeAsync();
            await _redis.StartAsync();
        });
        await mood.VerifyAsync();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Jobs_are_answered_while_Redis_is_killed_and_restarted(bool persistent)
    {
        await _redis.StartAsync(persistent);
        await using var mood = await RedisMood.StartAsync(
            persistent ? "killed, back with data" : "killed, back empty", _redis.ConnectionString);
        await mood.RunAsync(async () =>
        {
            await _redis.KillAsync();
            await FaultTimeAsync();
            await _redis.StartAsync(persistent);
        });
        await mood.VerifyAsync();
    }

    [Fact]
    public async Task Jobs_are_answered_while_Redis_accepts_connections_and_never_answers() =>
        await BehindProxyAsync("never answering", async proxy =>
        {
            proxy.FallSilent();
            await FaultTimeAsync();
        });

    [Fact]
    public async Task Jobs_are_answered_while_the_Redis_process_is_stopped()
    {
        await _redis.StartAsync();
        await using var mood = await RedisMood.StartAsync("stopped", _redis.ConnectionString);
        await mood.RunAsync(async () =>
        {
            _redis.Freeze();
            await FaultTimeAsync();
            _redis.Thaw();
        });
        await mood.VerifyAsync();
    }

    [Fact]
    public async Task Jobs_are_answered_while_Redis_is_half_a_second_slow() =>
        await BehindProxyAsync("500 ms slow", async proxy =>
        {
            proxy.SlowDown();
            await FaultTimeAsync();
        });

    [Fact]
    public async Task Jobs_are_answered_while_Redis_flaps_every_second() =>
        await BehindProxyAsync("flapping", proxy => proxy.FlapAsync(times: 2));

    [Fact]
    public async Task Jobs_are_answered_while_Redis_is_out_of_memory()
    {
        await _redis.StartAsync();
        await using var mood = await RedisMood.StartAsync("out of memory", _redis.ConnectionString);
        await mood.RunAsync(async () =>
        {
            await _redis.CommandAsync("SET", "ballast", new string('x', 2_000_000));
            await _redis.CommandAsync("CONFIG", "SET", "maxmemory", "1mb");
            var refusal = await Assert.ThrowsAsync<RedisServerException>(() => _redis.CommandAsync("SET", "more", "x"));
            Assert.StartsWith("OOM", refusal.Message, StringComparison.Ordinal);
            var stored = await StoredAsync();
            await FaultTimeAsync();
            // Running commands have ended meanwhile, and no write exceeded the limit.
            Assert.Equal(stored, await StoredAsync());
            await _redis.CommandAsync("CONFIG", "SET", "maxmemory", "0");
        });
        await mood.VerifyAsync();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Jobs_are_answered_while_Redis_is_a_read_only_replica(bool hasMaster)
    {
        await using var master = new OwnRedis();
        if (hasMaster) await master.StartAsync();
        await _redis.StartAsync();
        await using var mood = await RedisMood.StartAsync(
            hasMaster ? "replica of a master" : "replica of nobody", _redis.ConnectionString);
        await mood.RunAsync(async () =>
        {
            await _redis.CommandAsync("REPLICAOF", "127.0.0.1", $"{master.Port}");
            await FaultTimeAsync();
            await _redis.CommandAsync("REPLICAOF", "NO", "ONE");
        });
        await mood.VerifyAsync();
    }

    [Fact]
    public async Task Jobs_are_answered_while_Redis_connections_are_killed()
    {
        await _redis.StartAsync();
        await using var mood = await RedisMood.StartAsync("connections killed", _redis.ConnectionString);
        await mood.RunAsync(async () =>
        {
            for (var i = 0; i < 4; i++)
            {
                await _redis.CommandAsync("CLIENT", "KILL", "TYPE", "normal");
                await _redis.CommandAsync("CLIENT", "KILL", "TYPE", "pubsub");
                await Task.Delay(FaultTime / 4, World.Cancellation);
            }
        });
        await mood.VerifyAsync();
    }

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => _redis.DisposeAsync();

    private async Task<int> StoredAsync() =>
        ((string[])(await _redis.CommandAsync("KEYS", "*}"))!).Length;

    private static Task FaultTimeAsync() => Task.Delay(FaultTime, World.Cancellation);

    private async Task BehindProxyAsync(string name, Func<RedisProxy, Task> makeBad)
    {
        await _redis.StartAsync();
        await using var proxy = new RedisProxy(_redis.Port);
        await using var mood = await RedisMood.StartAsync(name, proxy.ConnectionString);
        await mood.RunAsync(async () =>
        {
            await makeBad(proxy);
            proxy.GetWell();
        });
        await mood.VerifyAsync();
    }
}

using System.Diagnostics;
using System.Net;
using Gateway.Caching;
using Gateway.Jobs;
using Gateway.Redis;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.RequestPath;
using Microsoft.Extensions.DependencyInjection;
using Simulator;
using StackExchange.Redis;

namespace Gateway.Tests.Cluster;

/// <summary>A Redis that is slow, full or read-only, or that contains foreign values.</summary>
[Collection(nameof(Alone))]
public sealed class AilingRedisTests : IAsyncLifetime
{
    private static readonly (string Key, string? Value) DefaultTimeout = ("Redis:Timeout", "00:00:00.1");

    private readonly OwnRedis _redis = new();
    private readonly string _job = $"finished-{Guid.NewGuid():N}";

    public async ValueTask InitializeAsync() => await _redis.StartAsync();

    public ValueTask DisposeAsync() => _redis.DisposeAsync();

    [Fact]
    public async Task A_purge_refused_by_Redis_reaches_the_other_nodes_once_Redis_accepts_it()
    {
        await using var world = await WorldAsync(_redis.ConnectionString);
        var other = world.AddGateway();
        await Purging.CountAsync(world.Gateway, "default/other");
        await Purging.IsHitAsync(world.Gateway, _job);
        Assert.True(await Purging.IsHitAsync(other, _job));
        await _redis.CommandAsync("REPLICAOF", "127.0.0.1", "1");
        using var refused = await Purging.PurgeAsync(world.Gateway, "default/survey-1");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);

        await _redis.CommandAsync("REPLICAOF", "NO", "ONE");

        await Wait.UntilAsync(TimeSpan.FromSeconds(7), async () => !await Purging.IsHitAsync(other, _job),
            "the other node has received of it");
    }

    [Fact]
    public async Task A_full_Redis_is_used_for_reading_after_an_outage()
    {
        await using var world = await WorldAsync(_redis.ConnectionString);
        await Purging.CountAsync(world.Gateway, "default/other");
        await _redis.CommandAsync("SET", "ballast", new string('x', 2_000_000));
        await _redis.CommandAsync("CONFIG", "SET", "maxmemory", "1mb");
        await _redis.CommandAsync("DEL", "gateway:purges");

        Redis(world.Gateway).MarkUnavailable(new TimeoutException("a blip"));

        await Wait.UntilAsync(
            TimeSpan.FromSeconds(7), () => Redis(world.Gateway).IsAvailable, "Redis is used again");
    }

    [Fact]
    public async Task A_message_is_received_once_if_Redis_was_away_at_the_start()
    {
        await _redis.KillAsync();
        await using var world = await WorldAsync(_redis.ConnectionString);
        await Task.Delay(TimeSpan.FromSeconds(1), World.Cancellation);
        await _redis.StartAsync();
        await Wait.UntilAsync(TimeSpan.FromSeconds(10), () => Redis(world.Gateway).IsAvailable, "Redis is found");
        var received = 0;
        world.Gateway.Services.GetRequiredService<JobChannel>().WakeRequested += () =>
            Interlocked.Increment(ref received);

        await _redis.CommandAsync("PUBLISH", "gateway:jobs", "");

        await Wait.UntilAsync(TimeSpan.FromSeconds(10), () => received > 0, "the message is received");
        await Task.Delay(300, World.Cancellation);
        Assert.Equal(1, received);
    }

    [Fact]
    public async Task A_job_read_late_from_Redis_does_not_outlive_its_signed_urls()
    {
        await using var world = await WorldAsync(_redis.ConnectionString);
        var other = world.AddGateway();
        var signedAt = DateTimeOffset.UtcNow;
        var body = $$"""
            {"id":"{{_job}}","workflow_id":"survey-1","status":"completed","finished_at":"2026-01-01T00:00:00Z",
            "url":"https://x/y?X-Amz-Date={{signedAt:yyyyMMdd'T'HHmmss'Z'}}&X-Amz-Expires=5&X-Amz-Signature=abc"}
            """;
        world.Upstream.Faults.Add(
            new Fault { Job = _job, Kind = FaultKind.Status, Status = 200, Body = body, Times = 1 });
        world.Upstream.Faults.Add(new Fault { Job = _job, Kind = FaultKind.Status, Status = 404 });
        Assert.False(await Purging.IsHitAsync(world.Gateway, _job));
        await Task.Delay(TimeSpan.FromSeconds(3), World.Cancellation);
        Assert.True(await Purging.IsHitAsync(other, _job));
        await Task.Delay(signedAt + TimeSpan.FromSeconds(5.5) - DateTimeOffset.UtcNow, World.Cancellation);

        using var late = await World.GetAsync(other, _job);

        Assert.Equal(HttpStatusCode.NotFound, late.StatusCode);
    }

    [Theory]
    [InlineData("")]
    [InlineData(":finished")]
    public async Task A_value_stored_meanwhile_is_not_removed_with_a_foreign_one(string suffix)
    {
        await using var world = await WorldAsync(_redis.ConnectionString);
        var other = world.AddGateway();
        var shared = world.Gateway.Services.GetRequiredService<SharedJobs>();
        Assert.True(JobAddress.TryCreate("survey-1", _job, out var address));
        var key = new JobKey("default", address);
        await _redis.CommandAsync("RPUSH", $"gateway:{key.Name}{suffix}", "foreign");
        var found = await shared.FindAsync(key, Redis(world.Gateway).NewTimeBudget());
        Assert.False(found.Unusable.IsNone);
        Assert.False(await Purging.IsHitAsync(other, _job));

        var fetchLock = await shared.LockAsync(
            key, 0, 0, found.Unusable, TimeSpan.FromSeconds(10), Redis(world.Gateway).NewTimeBudget());

        Assert.IsType<FetchLock.NewerStored>(fetchLock);
        Assert.Equal(
            2, (int)(await _redis.CommandAsync("EXISTS", $"gateway:{key.Name}", $"gateway:{key.Name}:finished"))!);
    }

    [Fact]
    public async Task A_stored_job_with_an_order_in_the_future_does_not_block_newer_ones()
    {
        await using var world = await WorldAsync(_redis.ConnectionString, ("Jobs:RunningLifetime", "00:00:00.5"));
        var job = $"run-300-{Guid.NewGuid():N}";
        using var first = await world.GetAsync(job);
        await _redis.CommandAsync(
            "HSET", $"gateway:{{default/survey-1/{job}}}", "finished", "1", "order", "9000000000000000");
        await Task.Delay(TimeSpan.FromSeconds(1.5), World.Cancellation);

        using var next = await world.GetAsync(job);

        Assert.NotEqual(first.Headers.ETag, next.Headers.ETag);
        Assert.Contains("fwd-status=200", JobTests.CacheStatus(next), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_long_wait_for_another_nodes_fetch_causes_no_second_fetch()
    {
        await using var line = new RedisProxy(_redis.Port) { Slowness = TimeSpan.FromMilliseconds(15) };
        await using var world = await WorldAsync(line.ConnectionString);
        var other = world.AddGateway();
        line.SlowDown();
        string[] jobs = [.. Enumerable.Range(0, 150).Select(i => $"{_job}-{i}")];
        foreach (var (i, job) in jobs.Index())
        {
            world.Upstream.Faults.Add(
                new Fault { Job = job, Kind = FaultKind.Delay, Delay = TimeSpan.FromMilliseconds(650 + i * 97 % 200) });
        }

        foreach (var some in jobs.Chunk(25))
        {
            await Task.WhenAll(
                some.SelectMany(job => new[] { World.GetAsync(world.Gateway, job), World.GetAsync(other, job) }));
        }

        Assert.All(jobs, job => Assert.Equal(1, world.Upstream.Ledger.CallsFor(job)));
    }

    [Fact]
    public async Task A_Redis_too_slow_for_all_round_trips_of_a_request_is_not_used()
    {
        await using var line = new RedisProxy(_redis.Port) { Slowness = TimeSpan.FromMilliseconds(60) };
        await using var world = await WorldAsync(line.ConnectionString, DefaultTimeout);
        await Purging.IsHitAsync(world.Gateway, _job);
        line.SlowDown();
        var times = new List<TimeSpan>();
        for (var i = 0; i < 40; i++)
        {
            var asked = Stopwatch.GetTimestamp();
            await Purging.IsHitAsync(world.Gateway, $"{_job}-{i}");
            times.Add(Stopwatch.GetElapsedTime(asked));
            await Task.Delay(50, World.Cancellation);
        }
        Assert.InRange(times.Count(time => time > TimeSpan.FromMilliseconds(80)), 0, times.Count / 4);
    }

    [Fact]
    public async Task The_largest_job_is_fetched_once_over_a_slow_connection_to_Redis()
    {
        await using var line = new RedisProxy(_redis.Port) { BytesPerSecond = 80_000_000 };
        await using var world = await WorldAsync(_redis.ConnectionString, DefaultTimeout);
        var other = world.AddGateway(("ConnectionStrings:Redis", line.ConnectionString));
        var noise = new byte[11 * 1024 * 1024];
        Random.Shared.NextBytes(noise);
        world.Upstream.Faults.Add(new Fault
        {
            Job = _job,
            Kind = FaultKind.Status,
            Status = 200,
            Body =
                $$"""
                {"id":"{{_job}}","workflow_id":"survey-1","status":"completed","finished_at":"2026-01-01T00:00:00Z",
                "raw":"{{Convert.ToBase64String(noise)}}"}
                """,
        });
        Assert.False(await Purging.IsHitAsync(world.Gateway, _job));

        Assert.True(await Purging.IsHitAsync(other, _job));

        Assert.Equal(1, world.Upstream.Ledger.Total);
    }

    [Fact]
    public async Task Requests_do_not_wait_for_a_Redis_that_has_never_answered()
    {
        await using var line = new RedisProxy(_redis.Port);
        line.FallSilent();
        await using var world = await WorldAsync(line.ConnectionString, DefaultTimeout);
        var asked = Stopwatch.GetTimestamp();
        await Purging.IsHitAsync(world.Gateway, _job);
        Assert.InRange(Stopwatch.GetElapsedTime(asked), TimeSpan.Zero, TimeSpan.FromSeconds(1.5));
        line.GetWell();
    }

    [Fact]
    public async Task Many_orphaned_locks_do_not_delay_the_use_of_Redis()
    {
        await using var line = new RedisProxy(_redis.Port) { Slowness = TimeSpan.FromMilliseconds(2) };
        await using var world = await WorldAsync(line.ConnectionString, DefaultTimeout);
        line.SlowDown();
        var left = world.Gateway.Services.GetRequiredService<OrphanedLocks>();
        await _redis.CommandAsync("SET", $"gateway:{{default/survey-1/{_job}-1999}}:lock", "o:me:1");
        for (var i = 0; i < 2000; i++) left.Add($"{{default/survey-1/{_job}-{i}}}:lock", "o:me:");
        Redis(world.Gateway).MarkUnavailable(new TimeoutException("a blip"));

        await Wait.UntilAsync(TimeSpan.FromSeconds(5), () => Redis(world.Gateway).IsAvailable, "Redis is found");
        await Wait.UntilAsync(TimeSpan.FromSeconds(5), async () =>
            (int)(await _redis.CommandAsync("EXISTS", $"gateway:{{default/survey-1/{_job}-1999}}:lock"))! == 0,
                "the lock is released");
    }

    [Fact]
    public async Task A_long_log_of_purges_does_not_prevent_the_use_of_Redis()
    {
        await using (var connection = await ConnectionMultiplexer.ConnectAsync(_redis.ConnectionString))
        {
            var first = DateTimeOffset.UtcNow.AddHours(-1).ToUnixTimeMilliseconds() * 1000;
            foreach (var some in Enumerable.Range(0, 200_000).Chunk(5000))
            {
                await connection.GetDatabase().SortedSetAddAsync("gateway:purges",
                    [.. some.Select(i => new SortedSetEntry($"default/survey-1/{Guid.NewGuid()}", first + i))]);
            }
        }
        await using var world = await WorldAsync(_redis.ConnectionString, DefaultTimeout);
        await Wait.UntilAsync(TimeSpan.FromSeconds(10), () => Redis(world.Gateway).IsAvailable, "Redis is used");

        await Purging.CountAsync(world.Gateway, $"default/survey-1/{_job}");
        await Task.Delay(TimeSpan.FromSeconds(1.5), World.Cancellation);

        Assert.True(Redis(world.Gateway).IsAvailable);
        Redis(world.Gateway).MarkUnavailable(new TimeoutException("a blip"));
        await Wait.UntilAsync(
            TimeSpan.FromSeconds(10), () => Redis(world.Gateway).IsAvailable, "Redis is used again");
    }

    [Fact]
    public async Task A_node_with_a_fast_clock_adopts_the_orders_of_Redis_after_an_outage()
    {
        await _redis.KillAsync();
        await using var world = await World.WithoutGatewayAsync(
            clock: null, [("ConnectionStrings:Redis", _redis.ConnectionString), .. World.DefaultAccount,
                .. Purging.Operator]);
        await using var node = new GatewayNode(new(world.Settings), new Fast());
        await Purging.IsHitAsync(node, _job);
        Assert.True(await Purging.IsHitAsync(node, _job));
        await _redis.StartAsync();
        await Wait.UntilAsync(TimeSpan.FromSeconds(10), () => Redis(node).IsAvailable, "Redis is found");

        await Purging.CountAsync(node, "default");

        Assert.False(await Purging.IsHitAsync(node, _job));
    }

    private static RedisConnection Redis(GatewayNode node) => node.Services.GetRequiredService<RedisConnection>();

    private static Task<World> WorldAsync(string connectionString, params (string Key, string? Value)[] settings) =>
        World.StartAsync(
            [("ConnectionStrings:Redis", connectionString), .. World.DefaultAccount, .. Purging.Operator, .. settings]);

    private sealed class Fast : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => base.GetUtcNow().AddSeconds(20);
    }
}

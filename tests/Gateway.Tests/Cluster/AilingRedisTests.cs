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

/// <summary>What an ailing Redis, or one that somebody wrote into, must not lead to in the end.</summary>
[Collection(nameof(Alone))]
public sealed class AilingRedisTests : IAsyncLifetime
{
    private static readonly (string Key, string? Value) RealPatience = ("Redis:Timeout", "00:00:00.1");

    private readonly OwnRedis _redis = new();
    private readonly string _job = $"finished-{Guid.NewGuid():N}";

    public async ValueTask InitializeAsync() => await _redis.StartAsync();

    public ValueTask DisposeAsync() => _redis.DisposeAsync();

    [Fact]
    public async Task A_purge_that_redis_refused_reaches_the_other_nodes_when_it_takes_it()
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

        await Purging.WithinAsync(TimeSpan.FromSeconds(7), async () => !await Purging.IsHitAsync(other, _job), "the other node has heard of it");
    }

    [Fact]
    public async Task A_full_redis_is_of_use_for_reading_also_where_it_was_away_and_purges_are_known()
    {
        await using var world = await WorldAsync(_redis.ConnectionString);
        await Purging.CountAsync(world.Gateway, "default/other");
        await _redis.CommandAsync("SET", "ballast", new string('x', 2_000_000));
        await _redis.CommandAsync("CONFIG", "SET", "maxmemory", "1mb");
        await _redis.CommandAsync("DEL", "gateway:purges");

        Redis(world.Gateway).Lose(new TimeoutException("a blip"));

        await Purging.WithinAsync(TimeSpan.FromSeconds(7), () => Redis(world.Gateway).IsAvailable, "it is of use again");
    }

    [Fact]
    public async Task A_message_is_heard_once_however_long_redis_was_away_at_the_start()
    {
        await _redis.KillAsync();
        await using var world = await WorldAsync(_redis.ConnectionString);
        await Task.Delay(TimeSpan.FromSeconds(1), World.Cancellation);
        await _redis.StartAsync();
        await Purging.WithinAsync(TimeSpan.FromSeconds(10), () => Redis(world.Gateway).IsAvailable, "it is found");
        var heard = 0;
        world.Gateway.Services.GetRequiredService<JobChannel>().WakeRequested += () => Interlocked.Increment(ref heard);

        await _redis.CommandAsync("PUBLISH", "gateway:jobs", "");

        await Purging.WithinAsync(TimeSpan.FromSeconds(10), () => heard > 0, "it is heard");
        await Task.Delay(300, World.Cancellation);
        Assert.Equal(1, heard);
    }

    [Fact]
    public async Task What_was_read_late_does_not_outlast_its_signed_urls()
    {
        await using var world = await WorldAsync(_redis.ConnectionString);
        var other = world.AddGateway();
        var signedAt = DateTimeOffset.UtcNow;
        var body = $$"""
            {"id":"{{_job}}","workflow_id":"survey-1","status":"completed","finished_at":"2026-01-01T00:00:00Z",
            "url":"https://x/y?X-Amz-Date={{signedAt:yyyyMMdd'T'HHmmss'Z'}}&X-Amz-Expires=5&X-Amz-Signature=abc"}
            """;
        world.Upstream.Faults.Add(new Fault { Job = _job, Kind = FaultKind.Status, Status = 200, Body = body, Times = 1 });
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
    public async Task What_is_to_be_cleared_away_is_not_what_was_stored_meanwhile(string suffix)
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

        var turn = await shared.LockAsync(
            key, 0, 0, found.Unusable, TimeSpan.FromSeconds(10), Redis(world.Gateway).NewTimeBudget());

        Assert.IsType<FetchLock.NewerStored>(turn);
        Assert.Equal(2, (int)(await _redis.CommandAsync("EXISTS", $"gateway:{key.Name}", $"gateway:{key.Name}:finished"))!);
    }

    [Fact]
    public async Task A_stored_job_that_claims_to_be_newer_than_it_is_keeps_no_other_back()
    {
        await using var world = await WorldAsync(_redis.ConnectionString, ("Jobs:RunningLifetime", "00:00:00.5"));
        var job = $"run-300-{Guid.NewGuid():N}";
        using var first = await world.GetAsync(job);
        await _redis.CommandAsync("HSET", $"gateway:{{default/survey-1/{job}}}", "finished", "1", "order", "9000000000000000");
        await Task.Delay(TimeSpan.FromSeconds(1.5), World.Cancellation);

        using var next = await world.GetAsync(job);

        Assert.NotEqual(first.Headers.ETag, next.Headers.ETag);
        Assert.Contains("fwd-status=200", JobTests.CacheStatus(next), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Whoever_waits_for_long_on_another_node_fetches_nothing_twice()
    {
        await using var line = new RedisProxy(_redis.Port) { Slowness = TimeSpan.FromMilliseconds(15) };
        await using var world = await WorldAsync(line.ConnectionString);
        var other = world.AddGateway();
        line.SlowDown();
        string[] jobs = [.. Enumerable.Range(0, 150).Select(i => $"{_job}-{i}")];
        foreach (var (i, job) in jobs.Index())
        {
            world.Upstream.Faults.Add(new Fault { Job = job, Kind = FaultKind.Delay, Delay = TimeSpan.FromMilliseconds(650 + i * 97 % 200) });
        }

        foreach (var some in jobs.Chunk(25))
        {
            await Task.WhenAll(some.SelectMany(job => new[] { World.GetAsync(world.Gateway, job), World.GetAsync(other, job) }));
        }

        Assert.All(jobs, job => Assert.Equal(1, world.Upstream.Ledger.CallsFor(job)));
    }

    [Fact]
    public async Task A_redis_that_is_too_slow_for_all_trips_of_a_request_is_left_alone()
    {
        await using var line = new RedisProxy(_redis.Port) { Slowness = TimeSpan.FromMilliseconds(60) };
        await using var world = await WorldAsync(line.ConnectionString, RealPatience);
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
    public async Task The_largest_job_is_fetched_once_however_long_redis_takes_to_carry_it()
    {
        await using var line = new RedisProxy(_redis.Port) { BytesPerSecond = 80_000_000 };
        await using var world = await WorldAsync(_redis.ConnectionString, RealPatience);
        var other = world.AddGateway(("ConnectionStrings:Redis", line.ConnectionString));
        var noise = new byte[11 * 1024 * 1024];
        Random.Shared.NextBytes(noise);
        world.Upstream.Faults.Add(new Fault
        {
            Job = _job,
            Kind = FaultKind.Status,
            Status = 200,
            Body = $$"""{"id":"{{_job}}","workflow_id":"survey-1","status":"completed","finished_at":"2026-01-01T00:00:00Z","raw":"{{Convert.ToBase64String(noise)}}"}""",
        });
        Assert.False(await Purging.IsHitAsync(world.Gateway, _job));

        Assert.True(await Purging.IsHitAsync(other, _job));

        Assert.Equal(1, world.Upstream.Ledger.Total);
    }

    [Fact]
    public async Task Nobody_waits_for_a_redis_that_has_never_answered()
    {
        await using var line = new RedisProxy(_redis.Port);
        line.FallSilent();
        await using var world = await WorldAsync(line.ConnectionString, RealPatience);
        var asked = Stopwatch.GetTimestamp();
        await Purging.IsHitAsync(world.Gateway, _job);
        Assert.InRange(Stopwatch.GetElapsedTime(asked), TimeSpan.Zero, TimeSpan.FromSeconds(1.5));
        line.GetWell();
    }

    [Fact]
    public async Task Many_turns_that_were_left_hold_nobody_up()
    {
        await using var line = new RedisProxy(_redis.Port) { Slowness = TimeSpan.FromMilliseconds(2) };
        await using var world = await WorldAsync(line.ConnectionString, RealPatience);
        line.SlowDown();
        var left = world.Gateway.Services.GetRequiredService<OrphanedLocks>();
        await _redis.CommandAsync("SET", $"gateway:{{default/survey-1/{_job}-1999}}:lock", "o:me:1");
        for (var i = 0; i < 2000; i++) left.Add($"gateway:{{default/survey-1/{_job}-{i}}}:lock", "o:me:");
        Redis(world.Gateway).Lose(new TimeoutException("a blip"));

        await Purging.WithinAsync(TimeSpan.FromSeconds(5), () => Redis(world.Gateway).IsAvailable, "it is found");
        await Purging.WithinAsync(TimeSpan.FromSeconds(5), async () =>
            (int)(await _redis.CommandAsync("EXISTS", $"gateway:{{default/survey-1/{_job}-1999}}:lock"))! == 0, "the turn is ended");
    }

    [Fact]
    public async Task A_long_list_of_purges_keeps_nobody_from_using_redis()
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
        await using var world = await WorldAsync(_redis.ConnectionString, RealPatience);
        await Purging.WithinAsync(TimeSpan.FromSeconds(10), () => Redis(world.Gateway).IsAvailable, "it is of use");

        await Purging.CountAsync(world.Gateway, $"default/survey-1/{_job}");
        await Task.Delay(TimeSpan.FromSeconds(1.5), World.Cancellation);

        Assert.True(Redis(world.Gateway).IsAvailable);
        Redis(world.Gateway).Lose(new TimeoutException("a blip"));
        await Purging.WithinAsync(TimeSpan.FromSeconds(10), () => Redis(world.Gateway).IsAvailable, "it is of use again");
    }

    [Fact]
    public async Task A_node_whose_clock_was_fast_while_it_was_alone_joins_the_others_numbers()
    {
        await _redis.KillAsync();
        await using var world = await World.WithoutGatewayAsync(clock: null, [("ConnectionStrings:Redis", _redis.ConnectionString), .. World.DefaultAccount, .. Purging.Operator]);
        await using var node = new GatewayNode(new(world.Settings), new Fast());
        await Purging.IsHitAsync(node, _job);
        Assert.True(await Purging.IsHitAsync(node, _job));
        await _redis.StartAsync();
        await Purging.WithinAsync(TimeSpan.FromSeconds(10), () => Redis(node).IsAvailable, "it is found");

        await Purging.CountAsync(node, "default");

        Assert.False(await Purging.IsHitAsync(node, _job));
    }

    private static RedisConnection Redis(GatewayNode node) => node.Services.GetRequiredService<RedisConnection>();

    private static Task<World> WorldAsync(string connectionString, params (string Key, string? Value)[] settings) =>
        World.StartAsync([("ConnectionStrings:Redis", connectionString), .. World.DefaultAccount, .. Purging.Operator, .. settings]);

    private sealed class Fast : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => base.GetUtcNow().AddSeconds(20);
    }
}

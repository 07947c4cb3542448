using System.Globalization;
using System.Net;
using System.Text.Json;
using Gateway.Caching;
using Gateway.Jobs;
using Gateway.Limits;
using Gateway.Redis;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.RequestPath;
using Microsoft.Extensions.DependencyInjection;
using Simulator;
using StackExchange.Redis;

namespace Gateway.Tests.Cluster;

/// <summary>
/// Nodes whose clocks differ by an hour, and a Redis whose clock was set back by an hour: its entries are then an hour
/// ahead and expire an hour later.
/// </summary>
[Trait("Redis", "any")]
public sealed class ClockStepTests(RedisServer redis) : IAsyncLifetime
{
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1), Bound = TimeSpan.FromSeconds(20);

    private readonly SteppedClock _wall = new(TimeProvider.System);
    private readonly string _running = $"run-300-{Guid.NewGuid():N}", _finished = $"finished-{Guid.NewGuid():N}";
    private World _world = null!;
    private ConnectionMultiplexer _connection = null!;

    private IDatabase Database => _connection.GetDatabase();

    public async ValueTask InitializeAsync()
    {
        _world = await World.StartAsync([("ConnectionStrings:Redis", redis.ConnectionString), .. Purging.Operator]);
        _connection = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString);
    }

    public async ValueTask DisposeAsync()
    {
        await _connection.DisposeAsync();
        await _world.DisposeAsync();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(-1)]
    public async Task The_end_of_a_job_is_seen_by_nodes_with_different_clocks(int hours)
    {
        _wall.Step(hours * Hour);
        var other = _world.AddGateway(_wall);
        var job = $"run-4-{Guid.NewGuid():N}";
        var ended = new HashSet<GatewayNode>();
        await Wait.UntilAsync(Bound, async () =>
        {
            foreach (var node in (GatewayNode[])[other, _world.Gateway])
            {
                using var answer = await World.GetAsync(node, job);
                Assert.True(answer.Headers.Age is null || answer.Headers.Age >= TimeSpan.Zero);
                var body = JsonElement.Parse(await answer.Content.ReadAsByteArrayAsync(World.Cancellation));
                if (body.GetProperty("status").GetString() == "completed") ended.Add(node);
            }
            return ended.Count == 2;
        }, "both nodes see the end of the job");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(-1)]
    public async Task A_node_whose_clock_is_corrected_shares_its_fetches(int hours)
    {
        _wall.Step(hours * Hour);
        var other = _world.AddGateway(_wall, ("Jobs:RunningLifetime", "00:01:00"));
        using var before = await World.GetAsync(other, _finished);
        _wall.Step(-hours * Hour);
        // The time until the node looks at the wall clock again.
        await Task.Delay(50, World.Cancellation);

        using var fetched = await World.GetAsync(other, _running);
        using var shared = await World.GetAsync(_world.Gateway, _running);
        using var own = await World.GetAsync(other, _running);

        Assert.Equal("Gateway; fwd=uri-miss; fwd-status=200; stored", JobTests.CacheStatus(fetched));
        Assert.All([shared, own], answer =>
            Assert.Matches("^Gateway; hit; ttl=[3-5][0-9]$", JobTests.CacheStatus(answer)));
        Assert.All([shared, own], answer => Assert.InRange(answer.Headers.Age!.Value.TotalSeconds, 0, 30));
    }

    [Fact]
    public async Task A_quota_keeps_its_permits_when_the_clock_of_Redis_is_set_back()
    {
        var shared = _world.Gateway.Services.GetRequiredService<SharedQuotas>();
        var (name, quota) = ($"{Guid.NewGuid()}",
            Gcra.Of(new QuotaOptions { Requests = 1, Window = Hour, Burst = 100 }));
        Assert.Equal(40, (await shared.AskAsync(name, quota, wanted: 40, back: 0))!.Value.Granted);

        RedisKey key = $"gateway:quota:{name}";
        var times = ((string)(await Database.StringGetAsync(key))!).Split(' ')
            .Select(time => double.Parse(time, CultureInfo.InvariantCulture) + Hour.TotalMicroseconds);
        await Database.StringSetAsync(
            key, string.Join(' ', times.Select(time => time.ToString("F3", CultureInfo.InvariantCulture))), 2 * Hour);

        Assert.Equal(60, (await shared.AskAsync(name, quota, wanted: 100, back: 0))!.Value.Granted);
    }

    [Fact]
    public async Task A_quota_written_by_an_older_version_is_read()
    {
        var shared = _world.Gateway.Services.GetRequiredService<SharedQuotas>();
        var (name, quota) = ($"{Guid.NewGuid()}",
            Gcra.Of(new QuotaOptions { Requests = 1, Window = Hour, Burst = 100 }));
        var now = (await shared.AskAsync(name, quota, wanted: 0, back: 0))!.Value.Now;
        await Database.StringSetAsync($"gateway:quota:{name}", (now + 40 * quota.Interval)
            .ToString("F3", CultureInfo.InvariantCulture), 2 * Hour);
        Assert.Equal(60, (await shared.AskAsync(name, quota, wanted: 100, back: 0))!.Value.Granted);
    }

    [Fact]
    public async Task A_node_last_seen_in_the_future_of_Redis_is_not_counted()
    {
        var ghost = $"{Guid.NewGuid():N}";
        await Database.SortedSetAddAsync("gateway:nodes", ghost, DateTimeOffset.UtcNow.Add(Hour).ToUnixTimeSeconds());
        await Wait.UntilAsync(Bound, async () => await Database.SortedSetScoreAsync("gateway:nodes", ghost) is null,
            "the node is removed");
    }

    [Fact]
    public async Task A_failure_ends_on_other_nodes_when_the_clock_of_Redis_is_set_back()
    {
        _world.Upstream.Faults.Add(new Fault { Job = _finished, Kind = FaultKind.Status, Status = 500, Times = 1 });
        var other = _world.AddGateway();
        using var failed = await _world.GetAsync(_finished);
        RedisKey lockKey = $"gateway:{Key(_finished).Name}:lock";
        Assert.True(await Database.KeyExpireAsync(lockKey, (await Database.KeyTimeToLiveAsync(lockKey))!.Value + Hour));

        await Wait.UntilAsync(Bound, async () =>
        {
            using var answer = await World.GetAsync(other, _finished);
            return answer.StatusCode == HttpStatusCode.OK;
        }, "the job is answered");

        Assert.Equal(HttpStatusCode.BadGateway, failed.StatusCode);
    }

    [Fact]
    public async Task The_lock_of_a_dead_node_expires_when_the_clock_of_Redis_is_set_back()
    {
        await Database.StringSetAsync($"gateway:{Key(_finished).Name}:lock", "o:dead-1:1795900000000000", Hour);
        using var answer = await _world.GetAsync(_finished).WaitAsync(Bound, World.Cancellation);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    [Fact]
    public async Task A_job_lost_by_Redis_is_fetched_again_when_its_clock_is_set_back()
    {
        using var first = await _world.GetAsync(_running);
        var memory = _world.Gateway.Services.GetRequiredService<JobMemory>();
        var (key, known) = (Key(_running), memory.Find(Key(_running))!);
        memory.Keep(key, new JobSnapshot
        {
            Order = known.Order + (long)Hour.TotalMicroseconds,
            Kind = known.Kind,
            FetchedAt = known.FetchedAt,
            FreshUntil = known.FetchedAt,
            Identity = known.Identity,
        });
        await Database.KeyDeleteAsync($"gateway:{key.Name}");

        using var next = await _world.GetAsync(_running);

        Assert.Equal("Gateway; fwd=stale; fwd-status=200; stored", JobTests.CacheStatus(next));
    }

    [Fact]
    public async Task A_purge_removes_jobs_fetched_before_the_clock_of_Redis_was_set_back()
    {
        using var first = await _world.GetAsync(_finished);
        var order = _world.Gateway.Services.GetRequiredService<FetchOrder>();
        var memory = _world.Gateway.Services.GetRequiredService<JobMemory>();
        var (key, known) = (Key(_finished), memory.Find(Key(_finished))!);
        var ahead = known.Order + (long)Hour.TotalMicroseconds;
        order.Follow(ahead, order.Now);
        await Database.HashSetAsync($"gateway:{key.Name}", "order", ahead);

        var (fromRedis, _) = await Purging.CountAsync(_world.Gateway, $"{_world.Account}/survey-1/{_finished}");

        Assert.Equal(1, fromRedis);
        Assert.False(await Purging.IsHitAsync(_world.Gateway, _finished));
        Assert.True(await Purging.IsHitAsync(_world.Gateway, _finished));
    }

    private JobKey Key(string job)
    {
        Assert.True(JobAddress.TryCreate("survey-1", job, out var address));
        return new JobKey(_world.Account, address);
    }
}

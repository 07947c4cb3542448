using System.Net;
using System.Text.Json;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.Infrastructure.Identity;
using Simulator;

namespace Gateway.Tests.RequestPath;

/// <summary>
/// How a node without Redis behaves when its wall clock is set while it runs. The upstream's clock is always correct.
/// </summary>
public sealed class ClockStepTests
{
    /// <summary>Seconds by which the wall clock is set back.</summary>
    public static TheoryData<int> StepsBack => [20, 60, 3600];

    /// <summary>Seconds by which the wall clock is set forwards, or backwards if negative.</summary>
    public static TheoryData<int> Steps => [-3600, -20, 20, 3600];

    [Theory]
    [MemberData(nameof(StepsBack))]
    public async Task Permits_are_refilled_after_Retry_After_when_the_clock_is_set_back(int seconds)
    {
        var (world, wall) = await StartAsync(
            ("Teams:mapping:Quota", "tiny"), ("Quotas:tiny:Requests", "60"), ("Quotas:tiny:Window", "00:01:00"),
            ("Quotas:tiny:Burst", "3"));
        await using var _ = world;
        Assert.Equal("200 200 200 429", await StatusesAsync(world, 4));

        wall.Step(-TimeSpan.FromSeconds(seconds));
        using var refused = await world.GetAsync("finished-1");
        world.Clock!.Advance(refused.Headers.RetryAfter!.Delta!.Value);

        Assert.Equal((429, 1), ((int)refused.StatusCode, (int)refused.Headers.RetryAfter.Delta.Value.TotalSeconds));
        Assert.Equal("200 429", await StatusesAsync(world, 2));
        world.Clock.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal("200 200 200 429", await StatusesAsync(world, 4));
    }

    [Theory]
    [MemberData(nameof(StepsBack))]
    public async Task The_end_of_a_running_job_is_seen_when_the_clock_is_set_back(int seconds)
    {
        var (world, wall) = await StartAsync();
        await using var _ = world;
        using var running = await world.GetAsync("run-5");

        wall.Step(-TimeSpan.FromSeconds(seconds));
        world.Clock!.Advance(TimeSpan.FromSeconds(1));
        using var meanwhile = await world.GetAsync("run-5");
        world.Clock.Advance(TimeSpan.FromSeconds(5));
        using var ended = await world.GetAsync("run-5");
        world.Clock.Advance(TimeSpan.FromSeconds(100));
        using var later = await world.GetAsync("run-5");

        Assert.Equal("Gateway; hit; ttl=1", JobTests.CacheStatus(meanwhile));
        Assert.Equal(TimeSpan.FromSeconds(1), meanwhile.Headers.Age);
        Assert.NotEqual(running.Headers.ETag, ended.Headers.ETag);
        Assert.Equal("Gateway; fwd=stale; fwd-status=200; stored", JobTests.CacheStatus(ended));
        foreach (var answer in new[] { ended, later })
        {
            var job = JsonElement.Parse(await answer.Content.ReadAsByteArrayAsync(World.Cancellation));
            Assert.Equal("completed", job.GetProperty("status").GetString());
        }
    }

    [Theory]
    [MemberData(nameof(StepsBack))]
    public async Task A_stored_failure_ends_with_its_back_off_when_the_clock_is_set_back(int seconds)
    {
        var (world, wall) = await StartAsync();
        await using var _ = world;
        world.Upstream.Faults.Add(new Fault { Kind = FaultKind.Status, Status = 500, Times = 1 });
        using var failed = await world.GetAsync("finished-1");

        wall.Step(-TimeSpan.FromSeconds(seconds));
        using var meanwhile = await world.GetAsync("finished-1");
        world.Clock!.Advance(TimeSpan.FromSeconds(1));
        using var recovered = await world.GetAsync("finished-1");

        Assert.Equal([502, 502, 200], [(int)failed.StatusCode, (int)meanwhile.StatusCode, (int)recovered.StatusCode]);
    }

    [Theory]
    [MemberData(nameof(StepsBack))]
    public async Task A_pause_lasts_for_the_upstreams_Retry_After_when_the_clock_is_set_back(int seconds)
    {
        var (world, wall) = await StartAsync();
        await using var _ = world;
        world.Upstream.Faults.Add(new Fault { Kind = FaultKind.Status, Status = 429, RetryAfter = "30", Times = 1 });
        using var told = await world.GetAsync("finished-1");

        wall.Step(-TimeSpan.FromSeconds(seconds));
        world.Clock!.Advance(TimeSpan.FromSeconds(10));
        using var meanwhile = await world.GetAsync("finished-2");
        world.Clock.Advance(TimeSpan.FromSeconds(20));
        using var after = await world.GetAsync("finished-3");

        Assert.Equal(TimeSpan.FromSeconds(20), meanwhile.Headers.RetryAfter!.Delta);
        Assert.Equal(HttpStatusCode.OK, after.StatusCode);
        Assert.Equal(2, world.Upstream.Ledger.Total);
    }

    [Theory]
    [MemberData(nameof(StepsBack))]
    public async Task The_circuit_closes_when_the_clock_is_set_back(int seconds)
    {
        var (world, wall) = await StartAsync();
        await using var _ = world;
        world.Upstream.Faults.Add(new Fault { Kind = FaultKind.Status, Status = 500 });
        for (var i = 0; i < 30; i++) await StatusesAsync(world, 1, $"finished-{i}");
        world.Upstream.Faults.Clear();

        wall.Step(-TimeSpan.FromSeconds(seconds));
        world.Clock!.Advance(TimeSpan.FromSeconds(1));

        Assert.Equal("200", await StatusesAsync(world, 1));
    }

    [Theory]
    [MemberData(nameof(StepsBack))]
    public async Task A_stale_snapshot_reaches_its_maximum_age_when_the_clock_is_set_back(int seconds)
    {
        var (world, wall) = await StartAsync(("Jobs:StaleIfError", "00:00:10"));
        await using var _ = world;
        using var running = await world.GetAsync("run-300");
        world.Upstream.Faults.Add(new Fault { Kind = FaultKind.Status, Status = 500 });

        wall.Step(-TimeSpan.FromSeconds(seconds));
        world.Clock!.Advance(TimeSpan.FromSeconds(5));
        using var stale = await world.GetAsync("run-300");
        world.Clock.Advance(TimeSpan.FromSeconds(6));
        using var tooOld = await world.GetAsync("run-300");

        Assert.Equal("Gateway; hit; ttl=-3; detail=upstream-500", JobTests.CacheStatus(stale));
        Assert.Equal(TimeSpan.FromSeconds(5), stale.Headers.Age);
        Assert.Equal(HttpStatusCode.BadGateway, tooOld.StatusCode);
    }

    [Theory]
    [MemberData(nameof(StepsBack))]
    public async Task A_job_does_not_outlive_its_signed_url_when_the_clock_is_set_back(int seconds)
    {
        var (world, wall) = await StartAsync();
        await using var _ = world;
        Assert.Equal("200 200", await StatusesAsync(world, 2, "finished-1.signed-60"));

        wall.Step(-TimeSpan.FromSeconds(seconds));
        world.Clock!.Advance(TimeSpan.FromSeconds(61));
        using var after = await world.GetAsync("finished-1.signed-60");

        Assert.StartsWith("Gateway; fwd=", JobTests.CacheStatus(after), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(StepsBack))]
    public async Task A_purge_and_the_next_fetch_take_effect_when_the_clock_is_set_back(int seconds)
    {
        var (world, wall) = await StartAsync(Purging.Operator);
        await using var _ = world;
        Assert.False(await Purging.IsHitAsync(world.Gateway, "finished-1"));

        wall.Step(-TimeSpan.FromSeconds(seconds));
        world.Clock!.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal((0, 1), await Purging.CountAsync(world.Gateway, "default/survey-1/finished-1"));

        Assert.False(await Purging.IsHitAsync(world.Gateway, "finished-1"));
        Assert.True(await Purging.IsHitAsync(world.Gateway, "finished-1"));
    }

    [Fact]
    public async Task Snapshots_expire_when_the_clock_is_set_forwards()
    {
        var (world, wall) = await StartAsync(
            ("Teams:mapping:Quota", "tiny"), ("Quotas:tiny:Requests", "1"), ("Quotas:tiny:Window", "01:00:00"),
            ("Quotas:tiny:Burst", "2"));
        await using var _ = world;
        using var first = await world.GetAsync("run-7200");
        using var second = await world.GetAsync("run-7200");
        Assert.Equal("429", await StatusesAsync(world, 1, "run-7200"));

        wall.Step(TimeSpan.FromHours(1));
        world.Clock!.Advance(TimeSpan.FromMilliseconds(100));
        using var third = await world.GetAsync("run-7200");

        Assert.Equal("Gateway; hit; ttl=2", JobTests.CacheStatus(second));
        Assert.Equal("Gateway; fwd=stale; fwd-status=200; stored", JobTests.CacheStatus(third));
        Assert.Equal("429", await StatusesAsync(world, 1, "run-7200"));
    }

    [Fact]
    public async Task Each_step_forwards_is_followed_after_several_steps_back()
    {
        var (world, wall) = await StartAsync();
        await using var _ = world;
        for (var i = 0; i < 3; i++)
        {
            Assert.False(await Purging.IsHitAsync(world.Gateway, "run-7200"));
            Assert.True(await Purging.IsHitAsync(world.Gateway, "run-7200"));
            wall.Step(-TimeSpan.FromHours(1));
            world.Clock!.Advance(TimeSpan.FromMilliseconds(100));
            Assert.True(await Purging.IsHitAsync(world.Gateway, "run-7200"));
            wall.Step(TimeSpan.FromHours(1));
            world.Clock.Advance(TimeSpan.FromMilliseconds(100));
        }
    }

    [Theory]
    [MemberData(nameof(Steps))]
    public async Task The_validity_of_a_key_follows_the_wall_clock(int seconds)
    {
        var now = DateTimeOffset.UtcNow;
        var (world, wall) = await StartAsync(
            ("Teams:mapping:ApiKeys:0:NotBefore", now.AddSeconds(-10).ToString("O")),
            ("Teams:mapping:ApiKeys:0:ExpiresAt", now.AddSeconds(10).ToString("O")));
        await using var _ = world;
        Assert.Equal("200", await StatusesAsync(world, 1));
        wall.Step(TimeSpan.FromSeconds(seconds));
        Assert.Equal("401", await StatusesAsync(world, 1));
        wall.Step(-TimeSpan.FromSeconds(seconds));
        Assert.Equal("200", await StatusesAsync(world, 1));
    }

    [Theory]
    [MemberData(nameof(StepsBack))]
    public async Task Idle_and_old_sessions_end_when_the_clock_is_set_back(int seconds)
    {
        await using var provider = await IdentityProvider.StartedAsync();
        var (world, wall) = await StartAsync(UserWorld.Settings(
            provider, ("Authentication:Oidc:IdleLifetime", "00:10:00"),
            ("Authentication:Oidc:AbsoluteLifetime", "00:15:00")));
        await using var _ = world;
        provider.Register(world.Gateway.Address);
        using Visitor idle = Visitor.Of(provider), busy = Visitor.Of(provider);
        using var one = await idle.LogInAsync(provider, world.Gateway.Address);
        using var other = await busy.LogInAsync(provider, world.Gateway.Address, "bob");

        wall.Step(-TimeSpan.FromSeconds(seconds));
        world.Clock!.Advance(TimeSpan.FromMinutes(9));
        Assert.Equal(HttpStatusCode.OK, await busy.StatusAsync(world.Gateway.Address));
        world.Clock.Advance(TimeSpan.FromMinutes(2));
        Assert.Equal(HttpStatusCode.Unauthorized, await idle.StatusAsync(world.Gateway.Address));
        Assert.Equal(HttpStatusCode.OK, await busy.StatusAsync(world.Gateway.Address));
        world.Clock.Advance(TimeSpan.FromMinutes(5));
        Assert.Equal(HttpStatusCode.Unauthorized, await busy.StatusAsync(world.Gateway.Address));
    }

    private static async Task<(World World, SteppedClock Wall)> StartAsync(
        params (string Key, string? Value)[] settings)
    {
        var world = await World.WithoutGatewayAsync(new TestClock(DateTimeOffset.UtcNow), settings);
        var wall = new SteppedClock(world.Clock!);
        world.AddGateway(wall);
        return (world, wall);
    }

    private static async Task<string> StatusesAsync(World world, int requests, string job = "finished-1")
    {
        var statuses = new List<int>();
        while (statuses.Count < requests)
        {
            using var answer = await world.GetAsync(job);
            statuses.Add((int)answer.StatusCode);
        }
        return string.Join(' ', statuses);
    }
}

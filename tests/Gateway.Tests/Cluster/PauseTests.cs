using System.Globalization;
using System.Net;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.RequestPath;
using Simulator;
using StackExchange.Redis;

namespace Gateway.Tests.Cluster;

/// <summary>After a 429 of the upstream to one node, all nodes pause the account.</summary>
[Trait("Redis", "any")]
public sealed class PauseTests(RedisServer redis)
{
    private const string Busy = "finished-busy";

    // Calls that were already on their way when the 429 arrived.
    private static readonly TimeSpan OnItsWay = TimeSpan.FromMilliseconds(50);

    private readonly string _other = Purging.NewAccount();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_429_pauses_its_account_on_all_nodes_and_no_other_account(bool withRedis)
    {
        await using var world = await World.StartAsync(
            [("ConnectionStrings:Redis", withRedis ? redis.ConnectionString : ""),
                .. Purging.Account(_other, "survey")]);
        GatewayNode[] nodes = withRedis ? [world.Gateway, world.AddGateway(), world.AddGateway()] : [world.Gateway];
        foreach (var node in nodes)
            Assert.Equal(HttpStatusCode.OK, (await AskAsync(node, World.MappingKey)).StatusCode);
        world.Upstream.Faults.Add(
            new Fault { Job = Busy, Kind = FaultKind.Status, Status = 429, RetryAfter = "5", Times = 1 });
        using var told = await world.GetAsync(Busy);
        var paused = world.Upstream.Ledger.Calls.Single(call => call.Status == 429).At;
        Assert.Equal(HttpStatusCode.ServiceUnavailable, told.StatusCode);
        Assert.Equal(TimeSpan.FromSeconds(5), told.Headers.RetryAfter?.Delta);

        while (DateTimeOffset.UtcNow < paused.AddSeconds(3.5))
        {
            foreach (var node in nodes)
            {
                using var refused = await AskAsync(node, World.MappingKey);
                // The request may have taken until the end of the pause.
                if (DateTimeOffset.UtcNow >= paused.AddSeconds(5)) break;
                Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
                Assert.Contains("detail=paused", JobTests.CacheStatus(refused), StringComparison.Ordinal);
                // A node adds the delay with which it may have received the time of Redis.
                Assert.InRange(refused.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 1, 6);
                using var other = await AskAsync(node, World.SurveyKey, "survey-2");
                Assert.Equal(HttpStatusCode.OK, other.StatusCode);
            }
            await Task.Delay(20, World.Cancellation);
        }
        await Wait.UntilAsync(TimeSpan.FromSeconds(15), async () =>
        {
            using var again = await AskAsync(nodes[^1], World.MappingKey);
            return again.StatusCode == HttpStatusCode.OK;
        }, "the pause is over");

        Assert.DoesNotContain(world.Upstream.Ledger.Calls, call =>
            call.WorkflowId == "survey-1" && call.At > paused + OnItsWay && call.At < paused.AddSeconds(5));
    }

    [Theory]
    [InlineData("3", 3)]
    [InlineData("+3 s, as a date", 3)]
    [InlineData("99999999", 300)]
    [InlineData("0", 1)]
    [InlineData("-7", 1)]
    [InlineData("soon", 1)]
    [InlineData("Thu, 01 Jan 1970 00:00:00 GMT", 1)]
    [InlineData("Fri, 31 Dec 9999 23:59:59 GMT", 300)]
    [InlineData(null, 1)]
    public async Task The_pause_follows_Retry_After_in_seconds_or_as_a_date_within_a_limit(
        string? retryAfter, int seconds)
    {
        await using var world = await World.StartAsync();
        if (retryAfter?.StartsWith('+') == true)
            retryAfter = DateTimeOffset.UtcNow.AddSeconds(3.5).ToString("r", CultureInfo.InvariantCulture);
        world.Upstream.Faults.Add(
            new Fault { Job = Busy, Kind = FaultKind.Status, Status = 429, RetryAfter = retryAfter, Times = 1 });
        using var told = await world.GetAsync(Busy);

        using var another = await AskAsync(world.Gateway, World.MappingKey);

        // A request waits for a pause of one second.
        Assert.Equal(seconds == 1 ? HttpStatusCode.OK : HttpStatusCode.ServiceUnavailable, another.StatusCode);
        if (seconds > 1)
            Assert.InRange(another.Headers.RetryAfter!.Delta!.Value.TotalSeconds, seconds - 1, seconds + 1);
        Assert.Equal(seconds == 1 ? 2 : 1, world.Upstream.Ledger.Total);
    }

    [Fact]
    public async Task Cached_jobs_are_served_as_stale_during_a_pause()
    {
        await using var world = await World.StartAsync(("Jobs:RunningLifetime", "00:00:00.3"));
        using var fresh = await world.GetAsync("run-300");
        world.Upstream.Faults.Add(new Fault { Job = Busy, Kind = FaultKind.Status, Status = 429, RetryAfter = "60" });
        using var told = await world.GetAsync(Busy);
        await Task.Delay(500, World.Cancellation);

        using var stale = await world.GetAsync("run-300");

        Assert.Equal(HttpStatusCode.OK, stale.StatusCode);
        Assert.Matches("^Gateway; hit; ttl=-[0-9]+; detail=paused$", JobTests.CacheStatus(stale));
    }

    [Fact]
    public async Task A_pause_during_a_Redis_outage_is_shared_afterwards_without_a_request()
    {
        await using var proxy = new RedisProxy(redis.Port);
        await using var world = await World.StartAsync(("ConnectionStrings:Redis", proxy.ConnectionString));
        var other = world.AddGateway(("ConnectionStrings:Redis", redis.ConnectionString));
        foreach (var node in (GatewayNode[])[world.Gateway, other])
            Assert.Equal(HttpStatusCode.OK, (await AskAsync(node, World.MappingKey)).StatusCode);
        proxy.Cut();
        world.Upstream.Faults.Add(
            new Fault { Job = Busy, Kind = FaultKind.Status, Status = 429, RetryAfter = "60", Times = 1 });
        using var told = await world.GetAsync(Busy);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, told.StatusCode);

        proxy.GetWell();

        await Wait.UntilAsync(TimeSpan.FromSeconds(10), async () =>
        {
            using var answer = await AskAsync(other, World.MappingKey);
            return answer.StatusCode == HttpStatusCode.ServiceUnavailable;
        }, "the other node pauses");
    }

    [Fact]
    public async Task A_pause_is_shared_while_other_writers_constantly_change_the_account()
    {
        await using var proxy = new RedisProxy(redis.Port) { Slowness = TimeSpan.FromMilliseconds(30) };
        await using var world = await World.StartAsync(
            ("ConnectionStrings:Redis", proxy.ConnectionString), ("Redis:Timeout", "00:00:05"));
        var other = world.AddGateway(("ConnectionStrings:Redis", redis.ConnectionString));
        using var known = await AskAsync(world.Gateway, World.MappingKey);
        world.Upstream.Faults.Add(new Fault
        {
            Job = Busy,
            Kind = FaultKind.Status,
            Status = 429,
            RetryAfter = "30",
            Times = 1,
            Delay = TimeSpan.FromMilliseconds(500),
        });
        var told = world.GetAsync(Busy);
        await Task.Delay(250, World.Cancellation);
        proxy.SlowDown();
        using (var enough = new CancellationTokenSource(TimeSpan.FromSeconds(2)))
            await ContendAsync(world.Account, enough.Token);
        using var busy = await told;
        Assert.Equal(HttpStatusCode.ServiceUnavailable, busy.StatusCode);

        using var another = await AskAsync(other, World.MappingKey);

        Assert.Contains("detail=paused", JobTests.CacheStatus(another), StringComparison.Ordinal);
        Assert.DoesNotContain(world.Gateway.Log.All, line => line.StartsWith("Critical", StringComparison.Ordinal));
    }

    // Changes only the version of the account, and always before a slow node can write.
    private async Task ContendAsync(string account, CancellationToken enough)
    {
        const string Touch =
            "local held = redis.call('GET', KEYS[1]) redis.call('SET', KEYS[1], ARGV[1] .. string.sub(held, 33), "
            + "'KEEPTTL')";
        await using var connection = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString);
        await Task.WhenAll(Enumerable.Range(0, 4).Select(async _ =>
        {
            while (!enough.IsCancellationRequested)
            {
                await connection.GetDatabase()
                    .ScriptEvaluateAsync(Touch, [$"gateway:account:{account}:budget-2"],
                    [Guid.NewGuid().ToString("N")]);
            }
        }));
    }

    private static Task<HttpResponseMessage> AskAsync(GatewayNode node, string key, string workflow = "survey-1") =>
        World.GetAsync(node, $"finished-{Guid.NewGuid():N}", workflow, key);
}

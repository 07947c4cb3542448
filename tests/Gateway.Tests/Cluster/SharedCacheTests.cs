using System.Net;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.RequestPath;
using StackExchange.Redis;

namespace Gateway.Tests.Cluster;

[Trait("Redis", "any")]
public sealed class SharedCacheTests(RedisServer redis)
{
    private readonly string _job = $"finished-{Guid.NewGuid():N}";

    [Fact]
    public async Task A_later_gateway_process_serves_a_finished_job_without_a_call()
    {
        await using var world = await World.WithoutGatewayAsync(clock: null, Redis);
        var sent = await world.UpstreamBytesAsync(_job);
        world.Upstream.Ledger.Clear();
        await using (var first = await GatewayProcess.StartAsync(world.Environment()))
        {
            using var filled = await GetAsync(first);
            Assert.Contains("stored", JobTests.CacheStatus(filled), StringComparison.Ordinal);
        }
        await using var second = await GatewayProcess.StartAsync(world.Environment());

        using var answer = await GetAsync(second);

        Assert.Contains("hit", JobTests.CacheStatus(answer), StringComparison.Ordinal);
        Assert.Equal(sent, await answer.Content.ReadAsByteArrayAsync(World.Cancellation));
        Assert.Equal(1, world.Upstream.Ledger.Total);
    }

    [Fact]
    public async Task Another_nodes_running_snapshot_is_shared_while_it_is_fresh()
    {
        await using var world = await World.StartAsync(Redis, ("Jobs:RunningLifetime", "00:01:00"));
        var other = world.AddGateway();
        var job = $"run-300-{Guid.NewGuid():N}";
        using var first = await world.GetAsync(job);

        using var second = await World.GetAsync(other, job);

        Assert.Equal(first.Headers.ETag, second.Headers.ETag);
        Assert.Contains("hit", JobTests.CacheStatus(second), StringComparison.Ordinal);
        Assert.Equal(1, world.Upstream.Ledger.Total);
    }

    [Theory]
    [InlineData("torn", "checksum")]
    [InlineData("flipped", "checksum")]
    [InlineData("foreign", "foreign")]
    [InlineData("version", "version")]
    [InlineData("moved", "foreign")]
    public async Task A_stored_value_that_is_not_this_job_is_a_miss(string damage, string reason)
    {
        await using var world = await World.StartAsync(Redis);
        using var filled = await world.GetAsync(_job);
        await using (var connection = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString))
        {
            var database = connection.GetDatabase();
            var key = $"gateway:{{{world.Account}/survey-1/{_job}}}:finished";
            var value = (byte[])(await database.HashGetAsync(key, "data"))!;
            var other = $"finished-{Guid.NewGuid():N}";
            if (damage == "moved")
            {
                // The valid value of another job under this job's key.
                using var otherFilled = await world.GetAsync(other);
                value = (byte[])(
                    await database.HashGetAsync($"gateway:{{{world.Account}/survey-1/{other}}}:finished", "data"))!;
            }
            else if (damage == "torn") value = value[..(value.Length / 2)];
            else if (damage == "flipped") value[value.Length / 2] ^= 1;
            else if (damage == "version") value[3] = 99;
            else value = "{\"hello\":1}"u8.ToArray();
            await database.HashSetAsync(key, "data", value);
        }
        world.Upstream.Ledger.Clear();
        var port = ChildProcess.FreePort();
        var environment = world.Environment();
        environment["Management__Port"] = $"{port}";
        await using var fresh = await GatewayProcess.StartAsync(environment);

        using var answer = await GetAsync(fresh);

        Assert.Equal(filled.Headers.ETag, answer.Headers.ETag);
        Assert.Equal(1, world.Upstream.Ledger.Total);
        using var management = new HttpClient();
        Assert.Matches($"gateway_cache_rejected_total.*error_type=\"{reason}\"",
            await management.GetStringAsync(new Uri($"http://127.0.0.1:{port}/metrics"), World.Cancellation));
    }

    private (string, string?) Redis => ("ConnectionStrings:Redis", redis.ConnectionString);

    private async Task<HttpResponseMessage> GetAsync(GatewayProcess gateway)
    {
        using var client = gateway.Client();
        var answer = await client.GetAsync(
            new Uri($"v0/workflows/survey-1/jobs/{_job}", UriKind.Relative), World.Cancellation);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        return answer;
    }
}

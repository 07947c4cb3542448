using System.Net;
using Gateway.Jobs;
using Gateway.Tests.Infrastructure;
using Microsoft.Extensions.DependencyInjection;

namespace Gateway.Tests.Cluster;

public sealed class MemoryTests(RedisServer redis)
{
    [Fact]
    public async Task Memory_is_bounded_in_stored_bytes_also_for_what_comes_from_redis()
    {
        const int Limit = 2 * 1024 * 1024;
        await using var world = await World.StartAsync(
            ("ConnectionStrings:Redis", redis.ConnectionString), ("Jobs:MemoryBytes", $"{Limit}"));
        var jobs = Enumerable.Range(0, 20).Select(i => $"finished-{Guid.NewGuid():N}.size-300").ToList();
        foreach (var job in jobs) await ReadAsync(world.Gateway, job);
        var reader = world.AddGateway();

        foreach (var job in jobs) await ReadAsync(reader, job);

        Assert.InRange(Bytes(world.Gateway), 300_000, Limit);
        Assert.InRange(Bytes(reader), 300_000, Limit);
        Assert.Equal(jobs.Count, world.Upstream.Ledger.Total);
    }

    private static async Task ReadAsync(GatewayNode node, string job)
    {
        using var answer = await World.GetAsync(node, job);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    private static long Bytes(GatewayNode node) => node.Services.GetRequiredService<JobCache>().MemoryBytes;
}

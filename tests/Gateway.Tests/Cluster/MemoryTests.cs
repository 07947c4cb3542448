using System.Net;
using Gateway.Caching;
using Gateway.Tests.Infrastructure;
using Microsoft.Extensions.DependencyInjection;

namespace Gateway.Tests.Cluster;

[Trait("Redis", "any")]
public sealed class MemoryTests(RedisServer redis)
{
    [Fact]
    public async Task Memory_is_bounded_in_bytes_for_fetched_jobs_and_jobs_out_of_Redis()
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

    [Theory]
    [InlineData("identity")]
    [InlineData("gzip")]
    public async Task A_hit_on_a_large_job_allocates_at_most_100_kB(string coding)
    {
        const int Hits = 100;
        await using var world = await World.WithoutGatewayAsync(clock: null);
        var port = ChildProcess.FreePort();
        var environment = world.Environment();
        environment["Management__Port"] = $"{port}";
        await using var gateway = await GatewayProcess.StartAsync(environment);
        using var client = new HttpClient { BaseAddress = gateway.Address };
        client.DefaultRequestHeaders.Add("X-Api-Key", World.MappingKey);
        client.DefaultRequestHeaders.Add("Accept-Encoding", coding);
        using var management = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}/") };
        for (var i = 0; i < 10; i++) await ReadLargeAsync(client);
        var before = await AllocatedAsync(management);

        long read = 0;
        for (var i = 0; i < Hits; i++) read += await ReadLargeAsync(client);

        var each = (await AllocatedAsync(management) - before) / Hits;
        TestContext.Current.TestOutputHelper?.WriteLine($"{read / Hits:N0} bytes read and {each:N0} allocated a hit");
        if (coding == "identity") Assert.InRange(read / Hits, 3_500_000, 5_000_000);
        Assert.InRange(each, 0, 100_000);
    }

    private static async Task<long> ReadLargeAsync(HttpClient client)
    {
        using var answer = await client.GetAsync(
            new Uri("v0/workflows/survey-1/jobs/finished-1.large", UriKind.Relative),
            HttpCompletionOption.ResponseHeadersRead, World.Cancellation);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        await answer.Content.CopyToAsync(Stream.Null, World.Cancellation);
        return answer.Content.Headers.ContentLength!.Value;
    }

    private static async Task<long> AllocatedAsync(HttpClient management)
    {
        // A scrape is cached for 300 ms.
        await Task.Delay(400, World.Cancellation);
        var metrics = await management.GetStringAsync(new Uri("metrics", UriKind.Relative), World.Cancellation);
        var line = metrics.Split('\n')
            .Single(line => line.StartsWith("dotnet_gc_heap_total_allocated_bytes_total{", StringComparison.Ordinal));
        return long.Parse(line.Split(' ')[1], System.Globalization.CultureInfo.InvariantCulture);
    }

    private static async Task ReadAsync(GatewayNode node, string job)
    {
        using var answer = await World.GetAsync(node, job);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    private static long Bytes(GatewayNode node) => node.Services.GetRequiredService<JobMemory>().Bytes;
}

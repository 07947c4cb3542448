using System.Diagnostics;
using System.Globalization;
using System.Net;
using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.Cluster;

/// <summary>Three gateways with one Redis, and clients that send more requests than one team's quota allows.</summary>
[Collection(nameof(Alone))]
public sealed class QuotaLoadTests
{
    private const int Nodes = 3, ClientsOfANode = 2, Requests = 600, Burst = 60;

    // GATEWAY_QUOTA_SECONDS=60 makes the tests longer.
    private static readonly TimeSpan Length =
        TimeSpan.FromSeconds(
            double.TryParse(Environment.GetEnvironmentVariable("GATEWAY_QUOTA_SECONDS"), CultureInfo.InvariantCulture,
                out var seconds) ? seconds : 10);

    [Fact]
    public async Task Nodes_together_admit_exactly_the_quota()
    {
        var (admitted, time) = await RunLoadAsync((_, _) => Task.CompletedTask);
        var allowed = Burst + Requests * time.TotalMinutes;
        Assert.InRange(admitted, allowed * 0.9, allowed * 1.05);
    }

    [Fact]
    public async Task Nodes_admit_their_shares_during_a_Redis_outage_and_share_again_afterwards()
    {
        var (admitted, time) = await RunLoadAsync(async (redis, length) =>
        {
            await Task.Delay(length / 3, World.Cancellation);
            await redis.KillAsync();
            await Task.Delay(length / 3, World.Cancellation);
            await redis.StartAsync();
        });
        // A Redis that lost its data does not know the permits that were taken before.
        var allowed = Burst + Requests * time.TotalMinutes;
        Assert.InRange(admitted, allowed * 0.7, allowed * 1.05 + Burst);
    }

    private static async Task<(int Admitted, TimeSpan Time)> RunLoadAsync(Func<OwnRedis, TimeSpan, Task> meanwhile)
    {
        await using var redis = new OwnRedis();
        await redis.StartAsync();
        await using var world = await World.WithoutGatewayAsync(clock: null,
            ("ConnectionStrings:Redis", redis.ConnectionString), ("Redis:Timeout", "00:00:00.5"),
            ("Teams:mapping:Quota", "shared"), ("Quotas:shared:Requests", $"{Requests}"),
            ("Quotas:shared:Burst", $"{Burst}"),
            ("Logging:LogLevel:Default", "Warning"), ("Logging:LogLevel:Gateway", "Error"),
            ("Logging:LogLevel:Microsoft.AspNetCore", "Warning"), ("Logging:LogLevel:Polly", "None"));
        var gateways = await Task.WhenAll(
            Enumerable.Range(0, Nodes).Select(_ => GatewayProcess.StartAsync(world.Environment())));
        try
        {
            // Each node knows the other nodes.
            await Task.Delay(TimeSpan.FromSeconds(1.5), World.Cancellation);
            var watch = Stopwatch.StartNew();
            var clients = gateways.SelectMany(gateway => Enumerable.Repeat(gateway, ClientsOfANode))
                .Select(gateway => AskAsync(gateway, watch)).ToList();
            await meanwhile(redis, Length);
            var admitted = await Task.WhenAll(clients);
            return (admitted.Sum(), watch.Elapsed);
        }
        finally
        {
            foreach (var gateway in gateways) await gateway.DisposeAsync();
        }
    }

    private static async Task<int> AskAsync(GatewayProcess gateway, Stopwatch watch)
    {
        using var client = gateway.Client();
        var admitted = 0;
        while (watch.Elapsed < Length)
        {
            using var answer = await client.GetAsync(
                new Uri("v0/workflows/survey-1/jobs/finished-1", UriKind.Relative), World.Cancellation);
            Assert.True((int)answer.StatusCode is 200 or 429, $"{(int)answer.StatusCode}");
            Assert.Equal(answer.StatusCode == HttpStatusCode.TooManyRequests, answer.Headers.RetryAfter is not null);
            if (answer.StatusCode == HttpStatusCode.OK) admitted++;
            else await Task.Delay(5, World.Cancellation);
        }
        return admitted;
    }
}

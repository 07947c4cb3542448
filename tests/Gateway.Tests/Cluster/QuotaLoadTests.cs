using System.Diagnostics;
using System.Globalization;
using System.Net;
using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.Cluster;

/// <summary>Three gateways with one Redis, and clients that ask one team's quota for more than there is.</summary>
[Collection(nameof(Alone))]
public sealed class QuotaLoadTests
{
    private const int Nodes = 3, ClientsOfANode = 2, Requests = 600, Burst = 60;

    // Longer, where there is time: GATEWAY_QUOTA_SECONDS=60.
    private static readonly TimeSpan Length =
        TimeSpan.FromSeconds(double.TryParse(Environment.GetEnvironmentVariable("GATEWAY_QUOTA_SECONDS"), CultureInfo.InvariantCulture, out var seconds) ? seconds : 10);

    [Fact]
    public async Task They_admit_what_the_quota_allows_and_say_truly_when_to_come_back()
    {
        var (admitted, time) = await HammerAsync((_, _) => Task.CompletedTask);
        var allowed = Burst + Requests * time.TotalMinutes;
        Assert.InRange(admitted, allowed * 0.9, allowed * 1.05);
    }

    [Fact]
    public async Task They_go_on_with_their_shares_while_redis_is_away_and_meet_again()
    {
        var (admitted, time) = await HammerAsync(async (redis, length) =>
        {
            await Task.Delay(length / 3, World.Cancellation);
            await redis.KillAsync();
            await Task.Delay(length / 3, World.Cancellation);
            await redis.StartAsync();
        });
        // A Redis that has lost its data knows of no permit that was spent before.
        var allowed = Burst + Requests * time.TotalMinutes;
        Assert.InRange(admitted, allowed * 0.7, allowed * 1.05 + Burst);
    }

    private static async Task<(int Admitted, TimeSpan Time)> HammerAsync(Func<OwnRedis, TimeSpan, Task> meanwhile)
    {
        await using var redis = new OwnRedis();
        await redis.StartAsync();
        await using var world = await World.WithoutGatewayAsync(clock: null,
            ("ConnectionStrings:Redis", redis.ConnectionString), ("Redis:Timeout", "00:00:00.5"),
            ("Teams:mapping:Quota", "shared"), ("Quotas:shared:Requests", $"{Requests}"), ("Quotas:shared:Burst", $"{Burst}"),
            ("Logging:LogLevel:Default", "Warning"), ("Logging:LogLevel:Gateway", "Error"),
            ("Logging:LogLevel:Microsoft.AspNetCore", "Warning"), ("Logging:LogLevel:Polly", "None"));
        var gateways = await Task.WhenAll(Enumerable.Range(0, Nodes).Select(_ => GatewayProcess.StartAsync(world.Environment())));
        try
        {
            // Each knows of the others.
            await Task.Delay(TimeSpan.FromSeconds(1.5), World.Cancellation);
            var watch = Stopwatch.StartNew();
            var hammering = gateways.SelectMany(gateway => Enumerable.Repeat(gateway, ClientsOfANode)).Select(gateway => AskAsync(gateway, watch)).ToList();
            await meanwhile(redis, Length);
            var admitted = await Task.WhenAll(hammering);
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
            using var answer = await client.GetAsync(new Uri("v0/workflows/survey-1/jobs/finished-1", UriKind.Relative), World.Cancellation);
            Assert.True((int)answer.StatusCode is 200 or 429, $"{(int)answer.StatusCode}");
            Assert.Equal(answer.StatusCode == HttpStatusCode.TooManyRequests, answer.Headers.RetryAfter is not null);
            if (answer.StatusCode == HttpStatusCode.OK) admitted++;
            else await Task.Delay(5, World.Cancellation);
        }
        return admitted;
    }
}

using System.Diagnostics;
using System.Globalization;
using Gateway.Limits;
using Gateway.Tests.Infrastructure;
using Microsoft.Extensions.DependencyInjection;

namespace Gateway.Tests.Limits;

/// <summary>Many quotas with a slow Redis.</summary>
public sealed class QuotaKeeperTests
{
    private const int Many = 200;

    private static readonly QuotaOptions Busy =
        new() { Requests = 2000, Window = TimeSpan.FromSeconds(1), Burst = 2000 };

    [Fact]
    public async Task Many_busy_quotas_are_renewed_and_returned_in_time_with_a_slow_Redis()
    {
        await using var redis = new OwnRedis();
        await redis.StartAsync();
        await using var proxy = new RedisProxy(redis.Port) { Slowness = TimeSpan.FromMilliseconds(100) };
        await using var world = await World.StartAsync(("ConnectionStrings:Redis", proxy.ConnectionString));
        var quotas = world.Gateway.Services.GetRequiredService<Quotas>();
        var all = Enumerable.Range(0, Many).Select(i => quotas.For($"team:t{i}", "busy", Busy)).ToArray();
        proxy.SlowDown();

        // Taking uses up the leases without asking Redis; the keeper renews them.
        await Task.WhenAll(all.Select(async quota => Assert.True(await quota.TakeAsync())));
        foreach (var quota in all) while (quota.TryTake()) { }
        var watch = Stopwatch.StartNew();
        var empty = all.ToHashSet();
        await Wait.UntilAsync(TimeSpan.FromSeconds(5), () =>
        {
            empty.RemoveWhere(quota => quota.TryTake());
            return empty.Count == 0;
        }, "all leases are renewed");

        // All quotas hold permits that other nodes could use.
        watch.Restart();
        await world.Gateway.DisposeAsync();
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(10), $"It took {watch.Elapsed} to stop");
        var late = new List<string>();
        for (var i = 0; i < Many; i++)
        {
            var until = await redis.CommandAsync("GET", $"gateway:quota:team:t{i}/busy");
            if (until is not { IsNull: false }) continue;
            if (double.Parse((string)until!, CultureInfo.InvariantCulture) > Now()) late.Add($"{i}");
        }
        Assert.Empty(late);

        static double Now() => (DateTimeOffset.UtcNow - DateTimeOffset.UnixEpoch).TotalMicroseconds;
    }
}

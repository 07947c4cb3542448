using Gateway.Limits;
using Gateway.Tests.Infrastructure;
using Microsoft.Extensions.DependencyInjection;

namespace Gateway.Tests.Limits;

/// <summary>Quotas that several nodes share in a real Redis.</summary>
[Trait("Redis", "any")]
public sealed class SharedQuotaTests(RedisServer redis) : IAsyncLifetime
{
    private static readonly QuotaOptions Hourly = new() { Requests = 1, Window = TimeSpan.FromHours(1), Burst = 100 };

    private World _world = null!;
    private GatewayNode _one = null!, _two = null!;

    public async ValueTask InitializeAsync()
    {
        _world = await World.StartAsync(("ConnectionStrings:Redis", redis.ConnectionString));
        (_one, _two) = (_world.Gateway, _world.AddGateway());
    }

    public async ValueTask DisposeAsync() => await _world.DisposeAsync();

    [Fact]
    public async Task The_Redis_script_matches_the_quota_arithmetic()
    {
        var shared = _one.Services.GetRequiredService<SharedQuotas>();
        var name = $"{Guid.NewGuid()}";
        var quota = Gcra.Of(new QuotaOptions { Requests = 50, Window = TimeSpan.FromSeconds(1), Burst = 20 });
        double? restored = null;
        var random = new Random(1);
        for (var i = 0; i < 200; i++)
        {
            var (wanted, back) = (random.Next(0, 8), random.Next(-3, 3));
            var lease = (await shared.AskAsync(name, quota, wanted, back))!.Value;
            var now = lease.Now;
            var expected = back > 0 ? quota.Return(restored ?? now, now, back)
                : quota.Take(restored ?? now, now, -back);
            var granted = Math.Min(wanted, quota.Available(expected, now));
            Assert.Equal(granted, lease.Granted);
            restored = quota.Take(expected, now, granted);
            Assert.Equal(restored.Value, lease.Restored, 1.0);
            if (i % 10 == 0) await Task.Delay(random.Next(30), World.Cancellation);
        }
    }

    [Fact]
    public async Task All_nodes_together_admit_exactly_the_burst()
    {
        var (one, two) = Both(Hourly);
        var granted = 0;
        await Parallel.ForAsync(0, 500, async (i, _) =>
        {
            if (await (i % 2 == 0 ? one : two).TakeAsync()) Interlocked.Increment(ref granted);
        });
        // A node cannot use the permits that another node holds, until they are returned.
        Assert.InRange(granted, 100 - one.LargestLease, 100);
        await Wait.UntilAsync(TimeSpan.FromSeconds(3) + Promptness.Grace, async () =>
        {
            if (await one.TakeAsync()) granted++;
            if (await two.TakeAsync()) granted++;
            return granted == 100;
        }, "the rest is admitted");
        Assert.False(await one.TakeAsync() || await two.TakeAsync());
    }

    [Fact]
    public async Task A_node_returns_unused_permits()
    {
        var (one, two) = Both(Hourly);
        for (var i = 0; i < 40; i++) Assert.True(await one.TakeAsync());
        var others = 0;
        await Wait.UntilAsync(TimeSpan.FromSeconds(3) + Promptness.Grace, async () =>
        {
            while (await two.TakeAsync()) others++;
            return others >= 60;
        }, "another node gets the rest");
        Assert.Equal(60, others);
    }

    [Fact]
    public async Task Nodes_count_each_other()
    {
        foreach (var node in (GatewayNode[])[_one, _two])
        {
            var shared = node.Services.GetRequiredService<SharedQuotas>();
            await Wait.UntilAsync(
                TimeSpan.FromSeconds(5) + Promptness.Grace, () => shared.Nodes >= 2, "at least two nodes are counted");
            // The nodes share the largest lease.
            var quota = node.Services.GetRequiredService<Quotas>()
                .For($"team:{Guid.NewGuid():N}", "q", new QuotaOptions { Requests = 100_000, Burst = 1000 });
            Assert.InRange(quota.LargestLease, 1, 250);
        }
    }

    [Fact]
    public async Task Most_requests_do_not_query_Redis()
    {
        var (one, _) = Both(new QuotaOptions { Requests = 1_000_000, Burst = 100_000 });
        var waited = 0;
        for (var i = 0; i < 5000; i++)
        {
            var taking = one.TakeAsync();
            if (!taking.IsCompleted) waited++;
            Assert.True(await taking);
        }
        Assert.True(waited < 100, $"{waited} of 5000 waited");
    }

    [Fact]
    public async Task Requests_refused_during_a_Redis_outage_are_not_counted_as_admitted()
    {
        await using var proxy = new RedisProxy(redis.Port);
        var quotas = _world.AddGateway(
            ("ConnectionStrings:Redis", proxy.ConnectionString)).Services.GetRequiredService<Quotas>();
        var holder = $"team:{Guid.NewGuid():N}";
        Quota[] both = [quotas.For(holder, "wide", Hourly), quotas.For(holder, "narrow", Hourly with { Burst = 1 })];
        Assert.Empty(await Admission.TakeAsync(both));
        proxy.Cut();
        for (var i = 0; i < 12; i++) Assert.Equal([both[1]], await Admission.TakeAsync(both));
        Assert.True(await both[0].TakeAsync());
        proxy.GetWell();

        // One permit was taken before the outage and one during it; the node may hold one more as a lease.
        await Wait.UntilAsync(TimeSpan.FromSeconds(10), async () => await LeftAsync() <= 98, "Redis has the count");
        Assert.InRange(await LeftAsync(), 97, 98);

        async Task<long> LeftAsync()
        {
            var lease = (await _two.Services.GetRequiredService<SharedQuotas>()
                .AskAsync($"{holder}/wide", Gcra.Of(Hourly), wanted: 0, back: 0))!.Value;
            return Gcra.Of(Hourly).Available(lease.Restored, lease.Now);
        }
    }

    private (Quota One, Quota Two) Both(QuotaOptions options)
    {
        var holder = $"team:{Guid.NewGuid():N}";
        return (Of(_one), Of(_two));

        Quota Of(GatewayNode node) => node.Services.GetRequiredService<Quotas>().For(holder, "q", options);
    }
}

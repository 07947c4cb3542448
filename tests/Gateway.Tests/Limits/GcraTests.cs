using CsCheck;
using Gateway.Limits;

namespace Gateway.Tests.Limits;

/// <summary>The quota arithmetic; <see cref="SharedQuotaTests"/> compares the Redis script with it.</summary>
[Trait("Kind", "Unit")]
public sealed class GcraTests
{
    private const double Start = 1.8e15;

    private static readonly Gen<Gcra> AnyQuota = Gen.Select(
        Gen.Int[1, 10_000_000], Gen.Int[1, 86_400], Gen.Int[1, 10_000_000])
        .Select((requests, seconds, burst) =>
            Gcra.Of(new QuotaOptions { Requests = requests, Window = TimeSpan.FromSeconds(seconds), Burst = burst }));

    [Fact]
    public void A_full_quota_has_its_burst_and_an_empty_one_refills_by_interval()
    {
        var quota = Gcra.Of(new QuotaOptions { Requests = 60, Burst = 5 });
        Assert.Equal(5, quota.Available(Start, Start));
        var empty = quota.Take(Start, Start, 5);
        Assert.Equal((0, TimeSpan.FromSeconds(1)), (quota.Available(empty, Start), quota.Wait(empty, Start)));
        Assert.Equal(0, quota.Available(empty, Start + 0.99e6));
        Assert.Equal((1, TimeSpan.Zero), (quota.Available(empty, Start + 1e6), quota.Wait(empty, Start + 1e6)));
        Assert.Equal(5, quota.Available(empty, Start + 1e9));
    }

    [Fact]
    public void Available_permits_stay_between_zero_and_the_burst_for_any_clock() =>
        Gen.Select(AnyQuota, Gen.Double[-1e12, 1e12], Gen.Double[-1e12, 1e12], Gen.Int[0, 1000])
            .Sample((quota, restored, step, taken) =>
        {
            var now = Start + step;
            Assert.InRange(quota.Available(Start + restored, now), 0, (long)quota.Burst);
            Assert.InRange(quota.Available(quota.Take(Start + restored, now, taken), now), 0, (long)quota.Burst);
            Assert.InRange(quota.Available(quota.Return(Start + restored, now, taken), now), 0, (long)quota.Burst);
            Assert.InRange(quota.Wait(Start + restored, now).TotalMicroseconds, 0, quota.Interval + 1);
        });

    [Fact]
    public void A_full_quota_has_its_whole_burst_for_any_interval() =>
        Gen.Select(AnyQuota, Gen.Long[0, 1_000_000_000_000]).Sample((quota, later) =>
            Assert.Equal((long)quota.Burst, quota.Available(Start, Start + later)));

    [Fact]
    public void Available_permits_never_decrease_while_none_is_taken() =>
        Gen.Select(AnyQuota, Gen.Int[0, 1000], Gen.Double[0, 1e9], Gen.Double[0, 1e9])
            .Sample((quota, taken, first, more) =>
        {
            var restored = quota.Take(Start, Start, taken);
            Assert.True(quota.Available(restored, Start + first) <= quota.Available(restored, Start + first + more));
        });

    [Fact]
    public void A_permit_is_available_after_the_reported_wait() =>
        Gen.Select(AnyQuota, Gen.Double[0, 1e9]).Sample((quota, later) =>
        {
            var restored = quota.Take(Start, Start, quota.Burst);
            var now = Start + later;
            Assert.True(quota.Available(restored, now + quota.Wait(restored, now).TotalMicroseconds + 1) >= 1);
            if (quota.Wait(restored, now) > TimeSpan.FromMicroseconds(2))
                Assert.Equal(0, quota.Available(restored, now));
        });

    [Fact]
    public void Returning_taken_permits_restores_the_quota() =>
        Gen.Select(AnyQuota, Gen.Int[0, 1000], Gen.Int[0, 1000]).Sample((quota, before, taken) =>
        {
            var restored = quota.Take(Start, Start, before);
            var there = quota.Available(restored, Start);
            var some = Math.Min(taken, there);
            Assert.Equal(there, quota.Available(quota.Return(quota.Take(restored, Start, some), Start, some), Start));
        });

    [Fact]
    public void Any_window_admits_at_most_the_burst_plus_the_refill() =>
        Gen.Select(Gen.Int[1, 1000], Gen.Int[1, 100], Gen.Double[0, 100_000].Array[1, 200])
            .Sample((requests, burst, steps) =>
        {
            var quota =
                Gcra.Of(new QuotaOptions { Requests = requests, Window = TimeSpan.FromSeconds(1), Burst = burst });
            double restored = Start, now = Start;
            var admitted = new List<double>();
            foreach (var step in steps)
            {
                now += step;
                if (quota.Available(restored, now) < 1) continue;
                restored = quota.Take(restored, now, 1);
                admitted.Add(now);
            }
            for (var i = 0; i < admitted.Count; i++)
            {
                Assert.True(admitted.Count - i <= burst + (admitted[^1] - admitted[i]) / quota.Interval + 1.001);
            }
        });

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(50)]
    public void The_shares_of_all_nodes_add_up_to_the_whole_rate(int nodes)
    {
        var whole = Gcra.Of(new QuotaOptions { Requests = 600, Burst = 60 });
        var share = whole.Share(nodes);
        Assert.Equal(1 / whole.Interval, nodes / share.Interval, 12);
        Assert.InRange(share.Burst, 1, Math.Max(1, 60.0 / nodes));
    }
}

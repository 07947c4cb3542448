using CsCheck;
using Gateway.Limits;

namespace Gateway.Tests.Limits;

public sealed class TeamQuotaTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(60)]
    [InlineData(1000)]
    public void The_burst_is_granted_exactly(int burst)
    {
        using var quota = new TeamQuota("daily", new QuotaOptions { Requests = 1, Window = TimeSpan.FromDays(1), Burst = burst });
        Assert.Equal(burst, quota.Remaining);
        Assert.Equal(burst, Enumerable.Range(0, burst + 10).Count(_ => quota.TryTake()));
        Assert.Equal(0, quota.Remaining);
    }

    [Fact]
    public void The_burst_is_granted_exactly_to_many_at_once()
    {
        using var quota = new TeamQuota("daily", new QuotaOptions { Requests = 1, Window = TimeSpan.FromDays(1), Burst = 100 });
        var granted = 0;

        Parallel.For(0, 1000, _ =>
        {
            if (quota.TryTake()) Interlocked.Increment(ref granted);
        });

        Assert.Equal(100, granted);
    }

    [Theory]
    [InlineData(600, "00:01:00", "00:00:00.1000000")]
    [InlineData(60, "00:01:00", "00:00:01")]
    [InlineData(1, "1.00:00:00", "1.00:00:00")]
    [InlineData(100_000, "00:01:00", "00:00:00.1002000")]
    public void There_are_more_permits_after_a_tick(int requests, string window, string tick)
    {
        using var quota = new TeamQuota("q", new QuotaOptions { Requests = requests, Window = Duration(window), Burst = 10_000 });
        Assert.Equal(Duration(tick), quota.Tick);
    }

    [Fact]
    public void Every_right_quota_has_a_bucket_with_its_whole_burst() =>
        Gen.Select(Gen.Int[1, 10_000_000], Gen.Int[1, 86_400], Gen.Int[1, 10_000_000]).Sample((requests, seconds, burst) =>
        {
            var options = new QuotaOptions { Requests = requests, Window = TimeSpan.FromSeconds(seconds), Burst = burst };
            if (QuotaOptionsTests.MistakesOf(options).Count > 0) return;
            using var quota = new TeamQuota("q", options);
            Assert.True(quota.Tick > TimeSpan.Zero);
            Assert.Equal(burst, quota.Remaining);
        });

    private static TimeSpan Duration(string text) => TimeSpan.Parse(text, System.Globalization.CultureInfo.InvariantCulture);
}

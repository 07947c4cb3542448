using Gateway.Caching;
using Gateway.Watching;

namespace Gateway.Tests.Watching;

[Trait("Kind", "Unit")]
public sealed class ChangeRateTests
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);

    [Fact]
    public void A_job_that_changes_between_all_polls_gets_a_higher_rate_and_a_quiet_one_a_lower_rate()
    {
        var (busy, quiet) = (new ChangeRate(1 / 60.0), new ChangeRate(1 / 60.0));
        for (var poll = 0; poll < 10; poll++)
        {
            busy.Note(Interval, hasChanged: true);
            quiet.Note(Interval, hasChanged: false);
        }
        Assert.InRange(busy.Value, 0.04, 1);
        Assert.InRange(quiet.Value, 0, 0.014);
    }

    [Fact]
    public void The_end_of_a_burst_is_noticed_within_a_few_polls()
    {
        var rate = new ChangeRate(1 / 600.0);
        for (var poll = 0; poll < 10; poll++) rate.Note(Interval, hasChanged: true);
        var burst = rate.Value;
        for (var poll = 0; poll < 4; poll++) rate.Note(Interval, hasChanged: false);
        Assert.InRange(rate.Value, 0, burst / 2.5);
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 1.582)]
    [InlineData(20, 20)]
    public void A_poll_that_sees_a_change_counts_the_changes_that_it_probably_missed(double mean, double expected) =>
        Assert.Equal(expected, ChangeRate.ExpectedChanges(mean), 3);

    [Fact]
    public void A_job_is_likeliest_to_end_about_the_time_that_earlier_jobs_took()
    {
        var start = new DateTimeOffset(2030, 1, 1, 0, 0, 0, TimeSpan.Zero);
        TimeSpan[] earlier = [.. Enumerable.Range(0, 5).Select(i => TimeSpan.FromSeconds(540 + 30 * i))];
        var end = ExpectedEnd.Of(start, start.AddSeconds(600), ExpectedEnd.SpreadOf(earlier))!.Value;

        Assert.InRange(end.RateAt(start.AddSeconds(300)), 0, 1e-9);
        // The hazard at the median is the density by one half: 0.4 / (0.079 * 600) / 0.5.
        Assert.InRange(end.RateAt(start.AddSeconds(600)), 0.016, 0.0175);
        Assert.InRange(end.RateAt(start.AddSeconds(660)), 0.03, 0.06);
        Assert.InRange(end.RateAt(start.AddSeconds(6000)), 0.001, 0.01);
        Assert.Equal(0, end.RateAt(start));
    }
}

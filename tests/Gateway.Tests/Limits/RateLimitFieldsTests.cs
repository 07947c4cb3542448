using Gateway.Limits;
using Microsoft.AspNetCore.Http;

namespace Gateway.Tests.Limits;

public sealed class RateLimitFieldsTests
{
    private static readonly QuotaOptions Hourly = new() { Requests = 2, Window = TimeSpan.FromHours(1), Burst = 7 };

    [Fact]
    public void The_policy_names_the_permits_of_a_window() =>
        Assert.Equal("\"burst\";q=100;w=60", RateLimitFields.Policy("burst", new QuotaOptions { Requests = 100 }));

    [Fact]
    public void The_limit_counts_down_with_each_permit()
    {
        using var quota = new TeamQuota("hourly", Hourly);
        Assert.Equal("\"hourly\";r=7;t=1800", RateLimitFields.Limit(quota));

        quota.TryTake();

        Assert.Equal("\"hourly\";r=6;t=1800", RateLimitFields.Limit(quota));
    }

    [Fact]
    public void Both_fields_are_written()
    {
        using var quota = new TeamQuota("hourly", Hourly);
        var headers = new HeaderDictionary();

        RateLimitFields.Write(headers, quota);

        Assert.Equal("\"hourly\";q=2;w=3600", headers["RateLimit-Policy"]);
        Assert.Equal("\"hourly\";r=7;t=1800", headers["RateLimit"]);
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 1)]
    [InlineData(1000, 1)]
    [InlineData(1001, 2)]
    [InlineData(60_000, 60)]
    public void Seconds_are_rounded_up_and_at_least_one(int milliseconds, int seconds) =>
        Assert.Equal(seconds, RateLimitFields.Seconds(TimeSpan.FromMilliseconds(milliseconds)));
}

using Gateway.Limits;

namespace Gateway.Tests.Limits;

[Trait("Kind", "Unit")]
public sealed class RateLimitFieldsTests
{
    [Fact]
    public void The_policy_field_states_the_permits_of_a_window() =>
        Assert.Equal("\"burst\";q=100;w=60", RateLimitFields.Policy("burst", new QuotaOptions { Requests = 100 }));

    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 1)]
    [InlineData(1000, 1)]
    [InlineData(1001, 2)]
    [InlineData(60_000, 60)]
    public void Seconds_are_rounded_up_and_at_least_one(int milliseconds, int seconds) =>
        Assert.Equal(seconds, RateLimitFields.Seconds(TimeSpan.FromMilliseconds(milliseconds)));
}

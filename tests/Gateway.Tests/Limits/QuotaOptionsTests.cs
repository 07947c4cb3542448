using Gateway.Configuration;
using Gateway.Limits;

namespace Gateway.Tests.Limits;

[Trait("Kind", "Unit")]
public sealed class QuotaOptionsTests
{
    [Theory]
    [InlineData(1, "00:00:01", 1)]
    [InlineData(10_000_000, "1.00:00:00", 10_000_000)]
    [InlineData(600, "00:01:00", 60)]
    [InlineData(100_000, "00:00:01", 1000)]
    public void A_quota_within_its_ranges_is_valid(int requests, string window, int burst) =>
        Assert.Empty(ErrorsOf(Quota(requests, window, burst)));

    [Theory]
    [InlineData(0, "00:01:00", 60, "Quotas:q:Requests: must be from 1 to 10000000, but is 0")]
    [InlineData(-1, "00:01:00", 60, "Quotas:q:Requests: must be from 1 to 10000000, but is -1")]
    [InlineData(10_000_001, "1.00:00:00", 60_000, "Quotas:q:Requests: must be from 1 to 10000000, but is 10000001")]
    [InlineData(60, "1.00:00:01", 60,
        "Quotas:q:Window: must be from 00:00:01 to 1.00:00:00, but is 1.00:00:01; durations are written")]
    [InlineData(1, "00:00:00.9", 60, "Quotas:q:Window: must be from 00:00:01 to 1.00:00:00")]
    [InlineData(1, "-00:01:00", 60, "Quotas:q:Window: must be from 00:00:01 to 1.00:00:00")]
    [InlineData(1, "00:01:00", 10_000_001, "Quotas:q:Burst: must be from 1 to 10000000, but is 10000001")]
    [InlineData(100_001, "00:00:01", 1000, "Quotas:q:Burst: must be at least 1001, the permits that 10 ms restore")]
    public void An_invalid_quota_is_one_configuration_error(int requests, string window, int burst, string line) =>
        Assert.StartsWith(line, Assert.Single(ErrorsOf(Quota(requests, window, burst))), StringComparison.Ordinal);

    [Theory]
    [InlineData("00:00:00", 60)]
    [InlineData("00:01:00", 0)]
    public void A_value_out_of_range_is_reported_once(string window, int burst) =>
        Assert.Single(ErrorsOf(Quota(600, window, burst)));

    [Theory]
    [InlineData("standard-1_a.b", true)]
    [InlineData("", false)]
    [InlineData("two words", false)]
    [InlineData("quo\"ted", false)]
    [InlineData("é", false)]
    [InlineData("a23456789012345678901234567890123456789012345678901234567890123456", false)]
    public void A_quota_name_must_be_valid_in_a_header(string name, bool fit) =>
        Assert.Equal(fit, ErrorsOf(new QuotaOptions(), name).Count == 0);

    internal static IReadOnlyList<string> ErrorsOf(QuotaOptions quota, string name = "q")
    {
        var errors = new ConfigurationErrors();
        quota.Check(errors, name);
        return errors.Lines;
    }

    private static QuotaOptions Quota(int requests, string window, int burst) =>
        new()
        {
            Requests = requests,
            Window = TimeSpan.Parse(window, System.Globalization.CultureInfo.InvariantCulture),
            Burst = burst
        };
}

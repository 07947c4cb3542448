using Gateway.Limits;

namespace Gateway.Tests.Limits;

public sealed class TeamQuotasTests : IDisposable
{
    private static readonly QuotaOptions Daily = new() { Requests = 1, Window = TimeSpan.FromDays(1), Burst = 3 };

    private readonly TeamQuotas _quotas = new();

    public void Dispose() => _quotas.Dispose();

    [Fact]
    public void A_bucket_outlives_a_change_that_leaves_its_quota_as_it_was()
    {
        _quotas.For("mapping", "daily", Daily).TryTake();

        Assert.Equal(2, _quotas.For("MAPPING", "daily", Daily with { }).Remaining);
    }

    [Fact]
    public void A_changed_quota_is_a_new_bucket()
    {
        _quotas.For("mapping", "daily", Daily).TryTake();

        Assert.Equal(4, _quotas.For("mapping", "daily", Daily with { Burst = 4 }).Remaining);
        Assert.Equal(3, _quotas.For("mapping", "other", Daily).Remaining);
    }

    [Fact]
    public void Teams_on_one_quota_have_a_bucket_each()
    {
        _quotas.For("mapping", "daily", Daily).TryTake();

        Assert.Equal(3, _quotas.For("viewing", "daily", Daily).Remaining);
    }

    [Fact]
    public void A_team_that_is_gone_is_forgotten()
    {
        _quotas.For("mapping", "daily", Daily).TryTake();
        _quotas.For("viewing", "daily", Daily).TryTake();

        _quotas.Keep(["Viewing"]);

        Assert.Equal(3, _quotas.For("mapping", "daily", Daily).Remaining);
        Assert.Equal(2, _quotas.For("viewing", "daily", Daily).Remaining);
    }
}

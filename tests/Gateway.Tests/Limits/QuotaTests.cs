using System.Diagnostics.Metrics;
using Gateway.Limits;
using Gateway.Runtime;
using Gateway.Tests.Infrastructure;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace Gateway.Tests.Limits;

/// <summary>Quotas of a node that has no Redis.</summary>
[Trait("Kind", "Unit")]
public sealed class QuotaTests
{
    private static readonly QuotaOptions Minutely =
        new() { Requests = 60, Window = TimeSpan.FromMinutes(1), Burst = 5 };

    private readonly IMeterFactory _meters = new ServiceCollection().AddMetrics().BuildServiceProvider()
        .GetRequiredService<IMeterFactory>();
    private readonly FakeTimeProvider _clock = new(DateTimeOffset.UtcNow);

    [Fact]
    public async Task Concurrent_requests_get_exactly_the_burst()
    {
        var quota = New().For("team:mapping", "daily",
            new QuotaOptions { Requests = 1, Window = TimeSpan.FromDays(1), Burst = 100 });
        var granted = 0;
        await Parallel.ForAsync(0, 1000, async (_, _) =>
        {
            if (await quota.TakeAsync()) Interlocked.Increment(ref granted);
        });
        Assert.Equal((100, 0), (granted, quota.Remaining));
    }

    [Fact]
    public async Task Permits_are_refilled_one_by_one()
    {
        var quota = New().For("team:mapping", "minutely", Minutely);
        for (var i = 0; i < 5; i++) Assert.True(await quota.TakeAsync());
        Assert.False(await quota.TakeAsync());
        Assert.Equal(TimeSpan.FromSeconds(1), quota.Wait);
        _clock.Advance(quota.Wait);
        Assert.True(await quota.TakeAsync());
        Assert.False(await quota.TakeAsync());
    }

    [Fact]
    public async Task A_quota_keeps_its_state_across_unrelated_configuration_changes()
    {
        var quotas = New();
        await quotas.For("team:mapping", "minutely", Minutely).TakeAsync();
        Assert.Equal(4, quotas.For("team:mapping", "minutely", Minutely with { }).Remaining);
        Assert.Equal(4, quotas.For("team:mapping", "minutely", Minutely with { Burst = 4 }).Remaining);
        Assert.Equal(5, quotas.For("team:survey", "minutely", Minutely).Remaining);
        Assert.Equal(5, quotas.For("team:mapping", "other", Minutely).Remaining);
    }

    [Fact]
    public async Task A_quota_that_is_no_longer_configured_is_removed()
    {
        var quotas = New();
        var (gone, kept) = (quotas.For("team:gone", "minutely", Minutely),
            quotas.For("team:kept", "minutely", Minutely));
        await gone.TakeAsync();
        await kept.TakeAsync();
        quotas.Keep(new HashSet<Quota> { kept });
        Assert.Equal(5, quotas.For("team:gone", "minutely", Minutely).Remaining);
        Assert.Equal(4, quotas.For("team:kept", "minutely", Minutely).Remaining);
    }

    [Fact]
    public async Task A_request_refused_by_one_quota_takes_no_permit_from_another()
    {
        var quotas = New();
        Quota[] both = [quotas.For("team:mapping", "wide", Minutely),
            quotas.For("key:1", "narrow", Minutely with { Burst = 1 })];
        Assert.Empty(await Admission.TakeAsync(both));
        Assert.Equal([both[1]], await Admission.TakeAsync(both));
        Assert.Equal((4, 0), (both[0].Remaining, both[1].Remaining));
    }

    [Fact]
    public async Task A_quota_in_observe_mode_refuses_nothing()
    {
        var quotas = New();
        Quota[] both = [quotas.For("team:mapping", "wide", Minutely),
            quotas.For("key:1", "narrow", Minutely with { Burst = 1, Mode = QuotaMode.Observe })];
        for (var i = 0; i < 5; i++) Assert.Empty(await Admission.TakeAsync(both));
        Assert.Equal([both[0]], await Admission.TakeAsync(both));
        Assert.Empty(await Admission.TakeAsync([both[1]]));
    }

    [Fact]
    public void Local_permits_are_taken_from_all_quotas_or_from_none()
    {
        var quotas = New();
        Quota[] both = [quotas.For("team:mapping", "wide", Minutely),
            quotas.For("key:1", "narrow", Minutely with { Burst = 1 })];
        Assert.True(Admission.TryTake([]));
        Assert.True(Admission.TryTake(both));
        Assert.Equal((4, 0), (both[0].Remaining, both[1].Remaining));
        Assert.False(Admission.TryTake(both));
        Assert.Equal((4, 0), (both[0].Remaining, both[1].Remaining));
    }

    [Theory]
    [InlineData(600, 600, 30)]
    [InlineData(600, 10, 5)]
    [InlineData(5, 100, 1)]
    public void The_largest_lease_is_a_twentieth_of_a_window_and_at_most_half_a_burst(
        int requests, int burst, int permits) =>
        Assert.Equal(permits, New()
            .For("team:mapping", "q", new QuotaOptions { Requests = requests, Burst = burst }).LargestLease);

    private Quotas New() =>
        new(Fixed.Quotas(Fixed.Redis("")), new QuotaMetrics(_meters), new SteadyClock(_clock));
}

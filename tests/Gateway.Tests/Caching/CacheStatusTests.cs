using Gateway.Caching;
using Gateway.Jobs;
using Gateway.Upstream;

namespace Gateway.Tests.Caching;

[Trait("Kind", "Unit")]
public sealed class CacheStatusTests
{
    private static readonly DateTimeOffset Now = new(2026, 6, 1, 12, 0, 0, TimeSpan.Zero);
    private static readonly Verdict Running = new(VerdictKind.Running, TimeSpan.FromSeconds(2));

    [Theory]
    [InlineData(30_000, "Gateway; hit; ttl=30")]
    [InlineData(29_999, "Gateway; hit; ttl=29")]
    [InlineData(999, "Gateway; hit; ttl=0")]
    [InlineData(0, "Gateway; hit; ttl=0")]
    [InlineData(-1, "Gateway; hit; ttl=-1")]
    [InlineData(-12_000, "Gateway; hit; ttl=-12")]
    public void A_hit_reports_the_remaining_freshness_in_whole_seconds(int milliseconds, string status) =>
        Assert.Equal(status, Of(new Lookup.Hit(Snapshot(milliseconds))));

    [Fact]
    public void A_stale_answer_reports_how_stale_it_is_and_why_it_is_served() =>
        Assert.Equal("Gateway; hit; ttl=-12; detail=upstream-503",
            Of(new Lookup.Stale(Snapshot(-12_000), Failure(VerdictKind.Unavailable, "upstream-503", 503))));

    [Theory]
    [InlineData(false, false, "Gateway; fwd=uri-miss; fwd-status=200; stored")]
    [InlineData(false, true, "Gateway; fwd=uri-miss; fwd-status=200; stored; collapsed")]
    [InlineData(true, false, "Gateway; fwd=stale; fwd-status=200; stored")]
    [InlineData(true, true, "Gateway; fwd=stale; fwd-status=200; stored; collapsed")]
    public void A_forwarded_answer_reports_a_miss_or_refresh_and_request_coalescing(
        bool refreshed, bool collapsed, string status) =>
        Assert.Equal(status, Of(Fetched(Snapshot(2000), Running, refreshed), collapsed));

    [Fact]
    public void An_answer_that_does_not_fit_into_memory_is_not_reported_as_stored() =>
        Assert.Equal("Gateway; fwd=uri-miss; fwd-status=200",
            Of(Fetched(Snapshot(2000), Running, isStored: false)));

    [Fact]
    public void An_answer_without_a_lifetime_is_not_reported_as_stored() =>
        Assert.Equal("Gateway; fwd=uri-miss; fwd-status=200",
            Of(Fetched(Snapshot(0), Running with { Lifetime = TimeSpan.Zero })));

    [Fact]
    public void A_refusal_of_the_upstream_is_reported_with_its_status() =>
        Assert.Equal("Gateway; fwd=uri-miss; fwd-status=401; detail=upstream-401",
            Of(new Lookup.Failed(Failure(VerdictKind.CredentialRefused, "upstream-401", 401), IsRefresh: false)));

    [Fact]
    public void A_timeout_of_the_upstream_is_reported_without_a_status() =>
        Assert.Equal("Gateway; fwd=stale; detail=upstream-timeout",
            Of(new Lookup.Failed(Failure(VerdictKind.TimedOut, "upstream-timeout", 0), IsRefresh: true)));

    private static string? Of(Lookup lookup, bool collapsed = false) => CacheStatus.Of(lookup, collapsed, Now);

    private static Lookup.Fetched Fetched(
        JobSnapshot snapshot, Verdict verdict, bool isRefresh = false, bool isStored = true) =>
        new(snapshot, verdict, Status: 200, RetryAfter: null, isRefresh, isStored);

    private static FailedFill Failure(VerdictKind kind, string detail, int status) => new(
        new Verdict(kind, TimeSpan.Zero, detail), new UpstreamAnswer(status, [], null, UpstreamFault.None),
        TimeSpan.Zero);

    private static JobSnapshot Snapshot(int freshMilliseconds) => new()
    {
        Order = 1,
        Kind = VerdictKind.Running,
        FetchedAt = Now,
        FreshUntil = Now.AddMilliseconds(freshMilliseconds),
        Identity = new Representation(ContentCoding.Identity, default),
    };
}

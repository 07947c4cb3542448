using System.Globalization;
using CsCheck;
using Gateway.Caching;
using Gateway.Jobs;

namespace Gateway.Tests.Caching;

[Trait("Kind", "Unit")]
public sealed class HitFieldsTests
{
    private static readonly DateTimeOffset Start = new(2026, 6, 1, 0, 0, 0, TimeSpan.Zero);

    /// <summary>Each hit gets the fields of its own instant, although hits share computed fields.</summary>
    [Fact]
    public void The_fields_of_an_earlier_hit_are_reused_only_while_they_are_correct() =>
        Gen.Select(Gen.Long[0, 400_0000000], Gen.Long[0, 400_0000000].Nullable(), Gen.Int[0, (int)VerdictKind.Running],
            Instants.Array[1, 20])
            .Sample((lifetime, urls, kind, instants) =>
            {
                var shared = Snapshot(lifetime, urls, (VerdictKind)kind);
                foreach (var instant in instants)
                {
                    var now = Start.AddTicks(instant);
                    Assert.Equal(Values(HitFields.Of(Snapshot(lifetime, urls, (VerdictKind)kind), now)),
                        Values(HitFields.Of(shared, now)));
                }
            });

    [Theory]
    [InlineData(0, "0", "Gateway; hit; ttl=60", "private, max-age=60")]
    [InlineData(0.4, "0", "Gateway; hit; ttl=59", "private, max-age=59")]
    [InlineData(1, "1", "Gateway; hit; ttl=59", "private, max-age=60")]
    [InlineData(59.5, "59", "Gateway; hit; ttl=0", "private, no-cache")]
    [InlineData(61, "61", "Gateway; hit; ttl=-1", "private, no-cache")]
    // The clock was set back.
    [InlineData(-5, "0", "Gateway; hit; ttl=65", "private, max-age=60")]
    public void A_hit_reports_the_age_and_remaining_lifetime_of_its_snapshot(
        double seconds, string age, string status, string control) =>
        Assert.Equal((age, status, control),
            Values(HitFields.Of(Snapshot(TimeSpan.FromMinutes(1).Ticks, null), Start.AddSeconds(seconds))));

    /// <summary>A browser must revalidate a job that may still change.</summary>
    [Theory]
    [InlineData((int)VerdictKind.Running)]
    [InlineData((int)VerdictKind.Failed)]
    public void A_fresh_job_that_is_not_finished_has_no_max_age(int kind)
    {
        var snapshot = Snapshot(TimeSpan.FromHours(1).Ticks, null, (VerdictKind)kind);
        foreach (var seconds in (int[])[-5, 0, 1, 3599, 3601])
        {
            Assert.Equal("private, no-cache", HitFields.Of(snapshot, Start.AddSeconds(seconds)).CacheControl);
        }
    }

    [Fact]
    public void A_browser_copy_expires_with_its_snapshot_its_signed_urls_or_five_minutes() =>
        Gen.Select(Gen.Long[0, 400_0000000], Gen.Long[-10_0000000, 400_0000000].Nullable(), Instants)
            .Sample((lifetime, urls, instant) =>
            {
                var now = Start.AddTicks(instant);
                var (age, _, control) = Values(HitFields.Of(Snapshot(lifetime, urls), now));
                if (control == "private, no-cache") return;
                var reuse = TimeSpan.FromSeconds(Number(control!["private, max-age=".Length..]) - Number(age!));
                Assert.InRange(reuse, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(300));
                Assert.True(now + reuse <= Start.AddTicks(lifetime));
                Assert.True(urls is null || now + reuse <= Start.AddTicks(urls.Value));
            });

    [Fact]
    public void Hits_within_one_second_share_their_header_fields()
    {
        var snapshot = Snapshot(TimeSpan.FromHours(1).Ticks, null);
        Assert.Same(HitFields.Of(snapshot, Start.AddSeconds(5.1)), HitFields.Of(snapshot, Start.AddSeconds(5.9)));
    }

    // Most instants are close to each other, or at the boundary of a second.
    private static Gen<long> Instants => Gen.OneOf(
        Gen.Long[-10_0000000, 500_0000000], Gen.Int[-10, 500].Select(seconds => seconds * 10_000_000L),
        Gen.Select(Gen.Int[-10, 500], Gen.Int[-2, 2], (seconds, ticks) => seconds * 10_000_000L + ticks));

    private static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);

    private static (string?, string?, string?) Values(HitFields fields) =>
        (fields.Age, fields.CacheStatus, fields.CacheControl);

    private static JobSnapshot Snapshot(long lifetime, long? urls, VerdictKind kind = VerdictKind.Finished) => new()
    {
        Order = 1,
        Kind = kind,
        FetchedAt = Start,
        FreshUntil = Start.AddTicks(lifetime),
        UrlsExpireAt = urls is { } ticks ? Start.AddTicks(ticks) : null,
        Identity = new Representation(ContentCoding.Identity, default),
    };
}

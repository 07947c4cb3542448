using System.Globalization;
using CsCheck;
using Gateway.Caching;
using Gateway.Jobs;

namespace Gateway.Tests.Caching;

public sealed class HitFieldsTests
{
    private static readonly DateTimeOffset Start = new(2026, 6, 1, 0, 0, 0, TimeSpan.Zero);

    /// <summary>Whenever a hit comes, and whatever came before it, its fields are those of its own instant.</summary>
    [Fact]
    public void What_an_earlier_hit_left_is_used_only_while_it_is_right() =>
        Gen.Select(Gen.Long[0, 400_0000000], Gen.Long[0, 400_0000000].Nullable(), Gen.Int[0, (int)VerdictKind.Running], Instants.Array[1, 20])
            .Sample((lifetime, urls, kind, instants) =>
            {
                var shared = Snapshot(lifetime, urls, (VerdictKind)kind);
                foreach (var instant in instants)
                {
                    var now = Start.AddTicks(instant);
                    Assert.Equal(Told(HitFields.Of(Snapshot(lifetime, urls, (VerdictKind)kind), now)), Told(HitFields.Of(shared, now)));
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
    public void They_say_how_old_it_is_and_how_long_it_lives(double seconds, string age, string status, string control) =>
        Assert.Equal((age, status, control), Told(HitFields.Of(Snapshot(TimeSpan.FromMinutes(1).Ticks, null), Start.AddSeconds(seconds))));

    /// <summary>A browser revalidates each time what may still change.</summary>
    [Theory]
    [InlineData((int)VerdictKind.Running)]
    [InlineData((int)VerdictKind.Failed)]
    public void A_job_that_is_not_finished_has_no_max_age_however_fresh_it_is(int kind)
    {
        var snapshot = Snapshot(TimeSpan.FromHours(1).Ticks, null, (VerdictKind)kind);
        foreach (var seconds in (int[])[-5, 0, 1, 3599, 3601])
        {
            Assert.Equal("private, no-cache", HitFields.Of(snapshot, Start.AddSeconds(seconds)).CacheControl);
        }
    }

    [Fact]
    public void A_browsers_copy_outlives_neither_the_snapshot_nor_its_urls_nor_five_minutes() =>
        Gen.Select(Gen.Long[0, 400_0000000], Gen.Long[-10_0000000, 400_0000000].Nullable(), Instants)
            .Sample((lifetime, urls, instant) =>
            {
                var now = Start.AddTicks(instant);
                var (age, _, control) = Told(HitFields.Of(Snapshot(lifetime, urls), now));
                if (control == "private, no-cache") return;
                var reuse = TimeSpan.FromSeconds(Number(control!["private, max-age=".Length..]) - Number(age!));
                Assert.InRange(reuse, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(300));
                Assert.True(now + reuse <= Start.AddTicks(lifetime));
                Assert.True(urls is null || now + reuse <= Start.AddTicks(urls.Value));
            });

    [Fact]
    public void Hits_of_one_second_share_them()
    {
        var snapshot = Snapshot(TimeSpan.FromHours(1).Ticks, null);
        Assert.Same(HitFields.Of(snapshot, Start.AddSeconds(5.1)), HitFields.Of(snapshot, Start.AddSeconds(5.9)));
    }

    // Most often close to one another, or at the very change.
    private static Gen<long> Instants => Gen.OneOf(
        Gen.Long[-10_0000000, 500_0000000], Gen.Int[-10, 500].Select(seconds => seconds * 10_000_000L),
        Gen.Select(Gen.Int[-10, 500], Gen.Int[-2, 2], (seconds, ticks) => seconds * 10_000_000L + ticks));

    private static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);

    private static (string?, string?, string?) Told(HitFields fields) => (fields.Age, fields.CacheStatus, fields.CacheControl);

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

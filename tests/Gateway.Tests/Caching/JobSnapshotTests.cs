using Gateway.Caching;
using Gateway.Jobs;

namespace Gateway.Tests.Caching;

[Trait("Kind", "Unit")]
public sealed class JobSnapshotTests
{
    private static readonly DateTimeOffset Now = new(2026, 6, 1, 12, 0, 0, TimeSpan.Zero);
    private static readonly TimeSpan StaleIfError = TimeSpan.FromMinutes(10);

    [Theory]
    [InlineData(nameof(VerdictKind.Running), 2, null, 600)]
    [InlineData(nameof(VerdictKind.Running), 0, null, 600)]
    [InlineData(nameof(VerdictKind.Finished), 86400, null, 86400)]
    [InlineData(nameof(VerdictKind.Finished), 300, 300, 300)]
    [InlineData(nameof(VerdictKind.Running), 2, 5, 5)]
    [InlineData(nameof(VerdictKind.Running), 0, -5, 0)]
    // The snapshot is kept for twice its freshness, so that the next fetch knows how long its bytes have been
    // unchanged.
    [InlineData(nameof(VerdictKind.Settling), 2, null, 600)]
    [InlineData(nameof(VerdictKind.Settling), 3600, null, 7200)]
    [InlineData(nameof(VerdictKind.Settling), 60, 30, 120)]
    [InlineData(nameof(VerdictKind.NotFound), 1, null, 1)]
    [InlineData(nameof(VerdictKind.NotFound), 0, null, 0)]
    public void A_snapshot_is_kept_while_it_is_fresh_or_may_be_served_stale_on_error(
        string kind, int fresh, int? urls, int kept)
    {
        var snapshot = Snapshot(kind, fresh, urls);
        Assert.Equal(TimeSpan.FromSeconds(kept), snapshot.Retention(StaleIfError, snapshot.FetchedAt));
        Assert.Equal(TimeSpan.FromSeconds(kept - 5),
            snapshot.Retention(StaleIfError, snapshot.FetchedAt.AddSeconds(5)));
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData(1999, true)]
    [InlineData(2000, false)]
    [InlineData(2001, false)]
    public void A_snapshot_is_fresh_until_its_lifetime_is_over(int milliseconds, bool fresh) =>
        Assert.Equal(fresh, Snapshot(nameof(VerdictKind.Running), 2).IsFresh(Now.AddMilliseconds(milliseconds)));

    [Theory]
    [InlineData(nameof(VerdictKind.Running), null, 599, true)]
    [InlineData(nameof(VerdictKind.Running), null, 600, false)]
    [InlineData(nameof(VerdictKind.Failed), null, 599, true)]
    [InlineData(nameof(VerdictKind.Running), 30, 29, true)]
    [InlineData(nameof(VerdictKind.Running), 30, 30, false)]
    [InlineData(nameof(VerdictKind.NotFound), null, 0, false)]
    [InlineData(nameof(VerdictKind.NotFound), null, 1, false)]
    public void Only_a_young_snapshot_with_working_urls_may_be_served_stale(
        string kind, int? urls, int age, bool may) =>
        Assert.Equal(may, Snapshot(kind, 2, urls).MayServeStale(StaleIfError, Now.AddSeconds(age)));

    [Theory]
    [InlineData(nameof(VerdictKind.Finished), 1, nameof(VerdictKind.Running), 2, true)]
    [InlineData(nameof(VerdictKind.Finished), 1, nameof(VerdictKind.Finished), 2, false)]
    [InlineData(nameof(VerdictKind.Finished), 2, nameof(VerdictKind.Finished), 1, true)]
    [InlineData(nameof(VerdictKind.Running), 2, nameof(VerdictKind.Finished), 1, false)]
    [InlineData(nameof(VerdictKind.Failed), 2, nameof(VerdictKind.Finished), 1, false)]
    [InlineData(nameof(VerdictKind.Settling), 2, nameof(VerdictKind.Finished), 1, false)]
    [InlineData(nameof(VerdictKind.Finished), 1, nameof(VerdictKind.Settling), 2, true)]
    [InlineData(nameof(VerdictKind.Running), 2, nameof(VerdictKind.Settling), 1, true)]
    [InlineData(nameof(VerdictKind.Running), 1, nameof(VerdictKind.Settling), 2, false)]
    // A 404 outranks an older job, and a job outranks an older 404. A late answer outranks neither.
    [InlineData(nameof(VerdictKind.NotFound), 2, nameof(VerdictKind.Finished), 1, true)]
    [InlineData(nameof(VerdictKind.NotFound), 1, nameof(VerdictKind.Finished), 2, false)]
    [InlineData(nameof(VerdictKind.Finished), 2, nameof(VerdictKind.NotFound), 1, true)]
    [InlineData(nameof(VerdictKind.Finished), 1, nameof(VerdictKind.NotFound), 2, false)]
    [InlineData(nameof(VerdictKind.NotFound), 2, nameof(VerdictKind.Running), 1, true)]
    [InlineData(nameof(VerdictKind.Running), 2, nameof(VerdictKind.NotFound), 1, true)]
    [InlineData(nameof(VerdictKind.Running), 1, nameof(VerdictKind.Failed), 2, false)]
    [InlineData(nameof(VerdictKind.Running), 2, nameof(VerdictKind.Failed), 1, true)]
    [InlineData(nameof(VerdictKind.Running), 2, nameof(VerdictKind.Running), 2, false)]
    public void A_snapshot_is_outranked_by_newer_or_more_final_snapshots_only(
        string kind, long order, string other, long otherOrder, bool outranks) =>
        Assert.Equal(outranks, Snapshot(kind, 2, order: order).Outranks(Snapshot(other, 2, order: otherOrder)));

    [Theory]
    [InlineData(nameof(VerdictKind.Running), 2, 0, 0, 2)]
    [InlineData(nameof(VerdictKind.Running), 2, -1, 1, 1)]
    [InlineData(nameof(VerdictKind.Running), 2, 1, 1, 1)]
    [InlineData(nameof(VerdictKind.Running), 2, 2, 2, 0)]
    [InlineData(nameof(VerdictKind.Running), 2, 3600, 3600, -3598)]
    [InlineData(nameof(VerdictKind.Failed), 3600, 60, 60, 3540)]
    [InlineData(nameof(VerdictKind.NotFound), 1, 60, 60, -59)]
    [InlineData(nameof(VerdictKind.Finished), 86400, 3600, 3600, 82800)]
    public void A_snapshot_from_the_future_is_as_old_as_its_fetch_lies_ahead(
        string kind, int lifetime, int ahead, int age, int left)
    {
        var snapshot = Snapshot(kind, lifetime).Moved(TimeSpan.FromSeconds(ahead)).Corrected(Now);
        Assert.Equal((age, left), ((Now - snapshot.FetchedAt).TotalSeconds, (snapshot.FreshUntil - Now).TotalSeconds));
    }

    [Fact]
    public void Moving_a_snapshot_moves_all_its_times_and_nothing_else()
    {
        var before = Snapshot(nameof(VerdictKind.Finished), 100, urls: 50, order: 7);
        var after = before.Moved(TimeSpan.FromSeconds(-10));
        Assert.Equal(
            (before.FetchedAt.AddSeconds(-10), before.FreshUntil.AddSeconds(-10),
                before.UrlsExpireAt!.Value.AddSeconds(-10)),
            (after.FetchedAt, after.FreshUntil, after.UrlsExpireAt!.Value));
        Assert.Equal((before.Order, before.Kind, before.Identity), (after.Order, after.Kind, after.Identity));
        Assert.Same(before, before.Moved(TimeSpan.Zero));
        Assert.Same(before, before.Corrected(Now));
    }

    [Fact]
    public void Times_beyond_the_calendar_do_not_throw()
    {
        var snapshot = Snapshot(nameof(VerdictKind.Running), 2).Moved(DateTimeOffset.MaxValue - Now);
        Assert.False(snapshot.Corrected(Now).IsFresh(Now));
        Assert.False(Snapshot(nameof(VerdictKind.Running), 2).Moved(DateTimeOffset.MinValue - Now).Corrected(Now)
            .IsFresh(Now));
    }

    [Fact]
    public void Every_snapshot_outranks_null() => Assert.True(Snapshot(nameof(VerdictKind.NotFound), 0).Outranks(null));

    [Fact]
    public async Task The_size_of_a_snapshot_includes_all_its_bodies()
    {
        var snapshot = Snapshot(nameof(VerdictKind.Finished), 2);
        var (gzip, brotli) = (await snapshot.EncodeAsync([ContentCoding.Gzip]),
            await snapshot.EncodeAsync([ContentCoding.Brotli]));
        Assert.InRange(snapshot.Size, 1000 + gzip.Body.Length + brotli.Body.Length, 4096);
    }

    [Fact]
    public async Task A_coding_is_made_once_on_the_first_request_for_it()
    {
        ContentCoding[] wanted = [ContentCoding.Brotli, ContentCoding.Gzip, ContentCoding.Identity];
        var snapshot = Snapshot(nameof(VerdictKind.Finished), 2);
        Assert.Null(snapshot.Find(wanted));
        Assert.Same(snapshot.Identity, snapshot.Find([ContentCoding.Identity]));

        var all = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => Task.Run(() => snapshot.EncodeAsync(wanted))));
        Assert.Equal(ContentCoding.Brotli, Assert.Single(all.Distinct()).Coding);
        Assert.Same(all[0], snapshot.Find(wanted));
        Assert.Null(snapshot.Find([ContentCoding.Gzip]));
    }

    [Fact]
    public async Task An_incompressible_body_is_served_as_identity_and_not_compressed_again()
    {
        var noise = new byte[1000];
        new Random(1).NextBytes(noise);
        ContentCoding[] wanted = [ContentCoding.Brotli, ContentCoding.Gzip, ContentCoding.Identity];
        var snapshot = JobSnapshot.From(noise, new Verdict(VerdictKind.Finished, TimeSpan.FromSeconds(1)), 1, Now);
        Assert.Same(snapshot.Identity, await snapshot.EncodeAsync(wanted));
        Assert.Same(snapshot.Identity, snapshot.Find(wanted));
    }

    private static JobSnapshot Snapshot(string kind, int fresh, int? urls = null, long order = 1)
    {
        DateTimeOffset? expiry = urls is { } seconds ? Now.AddSeconds(seconds) : null;
        var verdict = new Verdict(Enum.Parse<VerdictKind>(kind), TimeSpan.FromSeconds(fresh), UrlsExpireAt: expiry);
        return JobSnapshot.From(new byte[1000], verdict, order, Now);
    }
}

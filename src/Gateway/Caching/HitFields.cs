using System.Globalization;
using Gateway.Jobs;
using Microsoft.Extensions.Primitives;

namespace Gateway.Caching;

/// <summary>
/// The response fields of a hit that change with time, and so once a second: the first hit of a second makes them, and
/// the snapshot keeps them for the others.
/// </summary>
internal sealed class HitFields
{
    private static readonly TimeSpan LongestReuse = TimeSpan.FromSeconds(300);

    private static readonly StringValues Revalidate = "private, no-cache";

    // As long as none of them changes.
    private readonly DateTimeOffset _from, _until;

    private HitFields(JobSnapshot snapshot, DateTimeOffset now)
    {
        var (age, ttl) = (Math.Max(0, Floor(now - snapshot.FetchedAt)), Floor(snapshot.FreshUntil - now));
        Age = age.ToString(CultureInfo.InvariantCulture);
        CacheStatus = string.Create(CultureInfo.InvariantCulture, $"{Caching.CacheStatus.Name}; hit; ttl={ttl}");
        CacheControl = CacheControlOf(snapshot, age, now);

        _from = now;
        _until = snapshot.FetchedAt.AddSeconds(age + 1).AddTicks(-1);
        if (snapshot.FreshUntil.AddSeconds(-ttl) is var ttlChanges && ttlChanges < _until) _until = ttlChanges;
        if (snapshot.UrlsExpireAt is { } expiry && expiry.AddSeconds(-Floor(expiry - now)) is var reuseChanges && reuseChanges < _until) _until = reuseChanges;
    }

    public StringValues Age { get; }

    /// <summary>ttl: seconds of freshness left; negative where the snapshot is stale (RFC 9211, section 2.5).</summary>
    public StringValues CacheStatus { get; }

    public StringValues CacheControl { get; }

    public static HitFields Of(JobSnapshot snapshot, DateTimeOffset now) =>
        snapshot.HitFields is { } made && now >= made._from && now <= made._until ? made : snapshot.HitFields = new HitFields(snapshot, now);

    /// <summary>
    /// The <c>Cache-Control</c> of a snapshot (RFC 9111, section 5.2.2). A browser may reuse a finished job for
    /// <see cref="LongestReuse"/> without asking, and no longer than the snapshot is fresh and its signed URLs work. It
    /// asks each time for any other job, and a 304 tells it that nothing has changed.
    /// </summary>
    /// <param name="snapshot">A job, finished or not.</param>
    /// <param name="age">
    /// Seconds since the upstream said it: <c>max-age</c> counts from then (RFC 9111, section 4.2).
    /// </param>
    /// <param name="now">When it is answered.</param>
    public static StringValues CacheControlOf(JobSnapshot snapshot, long age, DateTimeOffset now)
    {
        if (snapshot.Kind != VerdictKind.Finished) return Revalidate;
        // The clock may have been set back.
        if (now < snapshot.FetchedAt) now = snapshot.FetchedAt;
        var reuse = LongestReuse;
        if (snapshot.FreshUntil - now < reuse) reuse = snapshot.FreshUntil - now;
        if (snapshot.UrlsExpireAt is { } expiry && expiry - now < reuse) reuse = expiry - now;
        return reuse < TimeSpan.FromSeconds(1) ? Revalidate
            : string.Create(CultureInfo.InvariantCulture, $"private, max-age={age + Floor(reuse)}");
    }

    private static long Floor(TimeSpan time) => (long)Math.Floor(time.TotalSeconds);
}

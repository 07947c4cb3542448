using System.Globalization;
using Gateway.Jobs;
using Microsoft.Extensions.Primitives;

namespace Gateway.Caching;

/// <summary>
/// The response fields of a hit that change with time. The fields change once a second: the first hit of a second
/// formats them, and the snapshot keeps them for the other hits of that second.
/// </summary>
internal sealed class HitFields
{
    private static readonly TimeSpan LongestReuse = TimeSpan.FromSeconds(300);

    private static readonly StringValues Revalidate = "private, no-cache";

    // None of the fields changes between these times.
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
        if (snapshot.UrlsExpireAt is not { } expiry) return;
        var reuseChanges = expiry.AddSeconds(-Floor(expiry - now));
        if (reuseChanges < _until) _until = reuseChanges;
    }

    public StringValues Age { get; }

    /// <summary>
    /// The <c>ttl</c> is the rest of the freshness in seconds. It is negative if the snapshot is stale (RFC 9211,
    /// section 2.5).
    /// </summary>
    public StringValues CacheStatus { get; }

    public StringValues CacheControl { get; }

    public static HitFields Of(JobSnapshot snapshot, DateTimeOffset now) =>
        snapshot.HitFields is { } last && now >= last._from && now <= last._until
            ? last : snapshot.HitFields = new HitFields(snapshot, now);

    /// <summary>
    /// Returns the <c>Cache-Control</c> of a snapshot (RFC 9111, section 5.2.2). A browser may reuse a finished job for
    /// <see cref="LongestReuse"/>, but no longer than the snapshot is fresh and its signed URLs work. For any other
    /// job, the browser revalidates each time.
    /// </summary>
    /// <param name="snapshot">A job, finished or not.</param>
    /// <param name="age">
    /// Seconds since the upstream sent the answer. <c>max-age</c> counts from then (RFC 9111, section 4.2).
    /// </param>
    /// <param name="now">The time of the response.</param>
    public static StringValues CacheControlOf(JobSnapshot snapshot, long age, DateTimeOffset now)
    {
        if (snapshot.Kind != VerdictKind.Finished) return Revalidate;
        // The time of the fetch may be ahead of this node's clock.
        if (now < snapshot.FetchedAt) now = snapshot.FetchedAt;
        var reuse = LongestReuse;
        if (snapshot.FreshUntil - now < reuse) reuse = snapshot.FreshUntil - now;
        if (snapshot.UrlsExpireAt is { } expiry && expiry - now < reuse) reuse = expiry - now;
        return reuse < TimeSpan.FromSeconds(1) ? Revalidate
            : string.Create(CultureInfo.InvariantCulture, $"private, max-age={age + Floor(reuse)}");
    }

    private static long Floor(TimeSpan time) => (long)Math.Floor(time.TotalSeconds);
}

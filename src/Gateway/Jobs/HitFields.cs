using System.Globalization;
using Microsoft.Extensions.Primitives;

namespace Gateway.Jobs;

/// <summary>
/// The response fields of a hit that change with time, and so once a second: the first hit of a second makes them, and the
/// snapshot keeps them for the others.
/// </summary>
internal sealed class HitFields
{
    public static readonly TimeSpan LongestReuse = TimeSpan.FromSeconds(300);

    // As long as none of them changes.
    private readonly DateTimeOffset _from, _until;

    private HitFields(JobSnapshot snapshot, DateTimeOffset now)
    {
        var (age, ttl) = (Math.Max(0, Floor(now - snapshot.FetchedAt)), Floor(snapshot.FreshUntil - now));
        Age = age.ToString(CultureInfo.InvariantCulture);
        CacheStatus = string.Create(CultureInfo.InvariantCulture, $"{Jobs.CacheStatus.Name}; hit; ttl={ttl}");
        CacheControl = CacheControlOf(snapshot, LongestReuse, age, now);

        _from = now;
        _until = snapshot.FetchedAt.AddSeconds(age + 1).AddTicks(-1);
        if (snapshot.FreshUntil.AddSeconds(-ttl) is var ttlChanges && ttlChanges < _until) _until = ttlChanges;
        if (snapshot.UrlsExpireAt is { } expiry && expiry.AddSeconds(-Floor(expiry - now)) is var reuseChanges && reuseChanges < _until) _until = reuseChanges;
    }

    public StringValues Age { get; }

    /// <summary>ttl: seconds of freshness left; negative where the snapshot is stale (RFC 9211, section 2.5).</summary>
    public StringValues CacheStatus { get; }

    /// <summary>Of what never changes again.</summary>
    public StringValues CacheControl { get; }

    public static HitFields Of(JobSnapshot snapshot, DateTimeOffset now) =>
        snapshot.HitFields is { } made && now >= made._from && now <= made._until ? made : snapshot.HitFields = new HitFields(snapshot, now);

    /// <summary>
    /// What never changes again may be reused for a while without asking, and what does, until it is to be asked for again;
    /// nobody's copy outlives a signed URL within it.
    /// </summary>
    /// <param name="reuse">From now on.</param>
    /// <param name="age">Seconds since the upstream said it, from when it counts (RFC 9111, section 4.2).</param>
    public static string CacheControlOf(JobSnapshot snapshot, TimeSpan reuse, long age, DateTimeOffset now)
    {
        if (snapshot.Kind == VerdictKind.Finished && snapshot.FreshUntil - now < reuse) reuse = snapshot.FreshUntil - now;
        if (snapshot.UrlsExpireAt is { } expiry && expiry - now < reuse) reuse = expiry - now;
        return reuse < TimeSpan.FromSeconds(1) ? "private, no-cache"
            : string.Create(CultureInfo.InvariantCulture, $"private, max-age={age + Floor(reuse)}");
    }

    private static long Floor(TimeSpan time) => (long)Math.Floor(time.TotalSeconds);
}

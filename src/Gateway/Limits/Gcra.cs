namespace Gateway.Limits;

/// <summary>
/// The arithmetic of a quota: the generic cell rate algorithm (GCRA). The state of a quota is one number, the time at
/// which its token bucket is full again. Times are microseconds since 1970. <c>lease-permits.lua</c> computes the same
/// in Redis.
/// </summary>
/// <param name="Interval">The microseconds in which one permit is restored.</param>
/// <param name="Burst">The size of the bucket, at least 1.</param>
internal readonly record struct Gcra(double Interval, double Burst)
{
    // A double holds today's date to a quarter of a microsecond.
    private const double Rounding = 0.5;

    public static Gcra Of(QuotaOptions options) =>
        new(options.Window.TotalMicroseconds / options.Requests, options.Burst);

    /// <summary>Returns the share of one node while nodes cannot reach Redis.</summary>
    public Gcra Share(int nodes) => new(Interval * nodes, Math.Max(1, Burst / nodes));

    /// <summary>Returns the number of whole permits in the bucket.</summary>
    /// <param name="restored">
    /// When the bucket is full again. A time further ahead than possible comes from another clock, and is limited.
    /// </param>
    public long Available(double restored, double now) =>
        Math.Max(0, (long)Math.Floor(Burst - (Within(restored, now) - now) / Interval + 1e-6));

    /// <summary>Takes permits that are available. Returns the new state.</summary>
    public double Take(double restored, double now, double permits) =>
        Within(Within(restored, now) + permits * Interval, now);

    /// <summary>Gives back permits that were taken. Returns the new state.</summary>
    public double Return(double restored, double now, double permits) => Take(restored, now, -permits);

    /// <summary>Returns the time until a permit is available; zero if one is.</summary>
    public TimeSpan Wait(double restored, double now)
    {
        var wait = Within(restored, now) + Interval - Burst * Interval - now - Rounding;
        return TimeSpan.FromMicroseconds(Math.Max(0, Math.Ceiling(wait)));
    }

    /// <summary>Returns the state of a bucket that holds this number of permits.</summary>
    public double With(double permits, double now) => Within(now + (Burst - permits) * Interval, now);

    private double Within(double restored, double now) => Math.Clamp(restored, now, now + Burst * Interval);
}

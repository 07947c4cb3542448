namespace Gateway.Limits;

/// <summary>
/// The arithmetic of a quota: the generic cell rate algorithm, in which a quota is one number, the time at which all
/// its permits are there again. Times are microseconds since 1970; Redis does the same in <see cref="SharedQuotas"/>.
/// </summary>
/// <param name="Interval">Microseconds that bring one permit.</param>
/// <param name="Burst">Permits at once, after a pause; one at least.</param>
internal readonly record struct Gcra(double Interval, double Burst)
{
    // Today is a number of microseconds that a double has to a quarter.
    private const double Rounding = 0.5;

    public static Gcra Of(QuotaOptions options) => new(options.Window.TotalMicroseconds / options.Requests, options.Burst);

    /// <summary>The share of one of several nodes that cannot ask each other.</summary>
    public Gcra Share(int nodes) => new(Interval * nodes, Math.Max(1, Burst / nodes));

    /// <summary>Whole permits there are now.</summary>
    /// <param name="restored">
    /// When all are there again. One that lies further ahead than it could is from another clock.
    /// </param>
    public long Available(double restored, double now) =>
        Math.Max(0, (long)Math.Floor(Burst - (Within(restored, now) - now) / Interval + 1e-6));

    /// <summary>Takes so many, which are there.</summary>
    public double Take(double restored, double now, double permits) => Within(Within(restored, now) + permits * Interval, now);

    /// <summary>Gives back so many that were taken.</summary>
    public double Return(double restored, double now, double permits) => Within(Within(restored, now) - permits * Interval, now);

    /// <summary>How long until there is one; zero: there is.</summary>
    public TimeSpan Wait(double restored, double now) =>
        TimeSpan.FromMicroseconds(Math.Max(0, Math.Ceiling(Within(restored, now) + Interval - Burst * Interval - now - Rounding)));

    /// <summary>The number of a quota that has so many permits now.</summary>
    public double With(double permits, double now) => Within(now + (Burst - permits) * Interval, now);

    private double Within(double restored, double now) => Math.Clamp(restored, now, now + Burst * Interval);
}

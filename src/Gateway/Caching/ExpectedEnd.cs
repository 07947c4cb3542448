namespace Gateway.Caching;

/// <summary>
/// When a running job is expected to end. Its whole duration is taken for log-normal around the expected one, as the
/// durations of jobs of one workflow mostly are.
/// </summary>
/// <param name="Started">When the job started.</param>
/// <param name="Duration">The expected duration, which is the median.</param>
/// <param name="Spread">The standard deviation of the logarithm of the duration.</param>
internal readonly record struct ExpectedEnd(DateTimeOffset Started, TimeSpan Duration, double Spread)
{
    /// <summary>The spread if the only source is the job's own estimate.</summary>
    public const double SpreadOfEstimate = 0.5;

    private const double LeastSpread = 0.05, LargestSpread = 1;

    // Beyond this many standard deviations, the distribution says little.
    private const double Farthest = 3;

    /// <param name="end">The expected end.</param>
    public static ExpectedEnd? Of(DateTimeOffset started, DateTimeOffset end, double spread) => end > started
        ? new ExpectedEnd(started, end - started, Math.Clamp(spread, LeastSpread, LargestSpread)) : null;

    /// <summary>Returns how far durations spread.</summary>
    public static double SpreadOf(IEnumerable<TimeSpan> durations)
    {
        var logs = durations.Select(duration => Math.Log(Math.Max(1, duration.Ticks))).ToList();
        var mean = logs.Average();
        return Math.Sqrt(logs.Sum(log => (log - mean) * (log - mean)) / Math.Max(1, logs.Count - 1));
    }

    /// <summary>Returns how likely the job ends in the next second, if it has not ended yet.</summary>
    public double RateAt(DateTimeOffset now)
    {
        var elapsed = (now - Started).TotalSeconds;
        if (elapsed <= 0) return 0;
        var z = Math.Log(elapsed / Duration.TotalSeconds) / Spread;
        // A job that is long overdue becomes less and less likely to end soon.
        return HazardOf(Math.Min(z, Farthest)) / (Spread * elapsed);
    }

    /// <summary>The hazard of the standard normal distribution: its density, divided by the share above.</summary>
    private static double HazardOf(double z)
    {
        var density = Math.Exp(-z * z / 2) / Math.Sqrt(2 * Math.PI);
        // Abramowitz and Stegun, formula 26.2.17: the share above, with an error below 1e-7.
        var t = 1 / (1 + 0.2316419 * Math.Abs(z));
        var series = t * (0.319381530 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
        var above = z >= 0 ? density * series : 1 - density * series;
        return density / above;
    }
}

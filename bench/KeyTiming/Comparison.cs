namespace Gateway.KeyTiming;

/// <summary>The difference between the times of two classes of keys.</summary>
/// <param name="Difference">
/// The mean of the second class minus that of the first, each without the slowest tenth.
/// </param>
/// <param name="Within">The half-width of the 99 % confidence interval of the difference.</param>
/// <param name="T">Welch's t, the largest of several cuts.</param>
internal readonly record struct Comparison(double Difference, double Within, double T)
{
    // Welch's t-test on samples without their slow end, with the threshold of 4.5: Reparaz, Balasch, Verbauwhede,
    // "Dude, is my code constant time?", DATE 2017. Very long times were interrupted by something else, and no single
    // bound for them is obvious; several bounds are tried, and the largest t counts. Chance exceeds 4.5 once in 150,000
    // times. The 99 % interval shows how large a difference could still be: as a verdict on a table of 50 pairs, it
    // would report one by chance in two tables of five.
    private const double Threshold = 4.5;

    // The two-sided 99 % quantile of the normal distribution, which applies to thousands of times.
    private const double Sigmas99 = 2.576;

    // The first one is printed.
    private static readonly double[] Kept = [0.9, 0.5, 0.75, 0.99];

    public bool IsDifference => Math.Abs(T) >= Threshold;

    /// <summary>
    /// The bounds above which times are cut. They apply to a whole family, so that they favour no class.
    /// </summary>
    public static double[] Bounds(IEnumerable<double[]> family)
    {
        double[] all = [.. family.SelectMany(times => times)];
        Array.Sort(all);
        return [.. Kept.Select(part => all[(int)(part * (all.Length - 1))])];
    }

    /// <param name="one">Sorted times, as in <paramref name="other"/>.</param>
    public static Comparison Of(double[] one, double[] other, double[] bounds)
    {
        var cuts = Array.ConvertAll(bounds, bound => Of(Cut(one, bound), Cut(other, bound)));
        return cuts[0] with { T = cuts.MaxBy(cut => Math.Abs(cut.T)).T };
    }

    private static Comparison Of(ReadOnlySpan<double> one, ReadOnlySpan<double> other)
    {
        var (mean, variance) = Moments(one);
        var (otherMean, otherVariance) = Moments(other);
        var difference = otherMean - mean;
        var error = Math.Sqrt((variance / one.Length) + (otherVariance / other.Length));
        return new Comparison(difference, Sigmas99 * error, difference / error);
    }

    private static (double Mean, double Variance) Moments(ReadOnlySpan<double> times)
    {
        double sum = 0, squares = 0;
        foreach (var time in times) sum += time;
        var mean = sum / times.Length;
        foreach (var time in times) squares += (time - mean) * (time - mean);
        return (mean, squares / (times.Length - 1));
    }

    private static ReadOnlySpan<double> Cut(double[] sorted, double bound)
    {
        var above = Array.FindIndex(sorted, time => time > bound);
        return sorted.AsSpan(0, above < 0 ? sorted.Length : above);
    }
}

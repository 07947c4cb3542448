namespace Gateway.KeyTiming;

/// <summary>How the times of two classes differ.</summary>
/// <param name="Difference">Of the means without the slowest tenth, the other's less the one's.</param>
/// <param name="Within">The difference lies within this much of it, at 99 %.</param>
/// <param name="T">Welch's t, the largest of several cuts.</param>
internal readonly record struct Comparison(double Difference, double Within, double T)
{
    // Welch's t-test on samples without their slow end, and the threshold of 4.5: Reparaz, Balasch, Verbauwhede, "Dude,
    // is my code constant time?", DATE 2017. What took very long was interrupted by something else, and how long counts
    // as that is not obvious; so several bounds are tried, and the largest t counts. Chance alone exceeds 4.5 once in
    // 150,000 times. An interval of 99 % is for reading how large a difference could still be: as a verdict on a table
    // of 50 pairs, it would find one by chance in two tables of five.
    private const double Threshold = 4.5;

    // The normal distribution's two-sided 99 %; there are thousands of times.
    private const double Sigmas99 = 2.576;

    // The first is for reading.
    private static readonly double[] Kept = [0.9, 0.5, 0.75, 0.99];

    public bool IsDifference => Math.Abs(T) >= Threshold;

    /// <summary>The bounds above which times are cut: those of a whole family, so that they favour no class.</summary>
    public static double[] Bounds(IEnumerable<double[]> family)
    {
        double[] all = [.. family.SelectMany(times => times)];
        Array.Sort(all);
        return [.. Kept.Select(part => all[(int)(part * (all.Length - 1))])];
    }

    /// <param name="one">Sorted, as is <paramref name="other"/>.</param>
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

namespace Gateway.SideBySide.Measuring;

internal static class Statistics
{
    /// <summary>The median: the middle value, or the mean of the two middle values.</summary>
    public static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }

    /// <summary>The quantile by the nearest-rank method.</summary>
    /// <param name="sorted">At least one value.</param>
    public static double Quantile(IReadOnlyList<double> sorted, double part) =>
        sorted[Math.Clamp((int)Math.Ceiling(part * sorted.Count) - 1, 0, sorted.Count - 1)];

    /// <summary>True if a fair coin shows this number of heads, or more, in at most one of twenty runs.</summary>
    public static bool IsMoreThanChance(int heads, int throws)
    {
        var (ways, sum) = (1.0, 0.0);
        for (var more = throws; more >= heads; more--)
        {
            sum += ways;
            ways = ways * more / (throws - more + 1);
        }
        return sum / Math.Pow(2, throws) <= 0.05;
    }
}

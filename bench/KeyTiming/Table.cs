using System.Globalization;

namespace Gateway.KeyTiming;

/// <summary>Two classes of a family, and whether they differ.</summary>
internal sealed record Pair(string Family, string One, string Other, bool IsDifference);

/// <summary>Compares all pairs of classes of a family, one line per pair.</summary>
internal static class Table
{
    public static Pair[] Print<TSubject>(string title, IReadOnlyList<Group<TSubject>> groups)
    {
        Console.WriteLine($"{title}; {groups[0].Series[0].Times.Count} times for each class.");
        Console.WriteLine("Differences are of means without the slowest tenth; t is the largest of several cuts.");
        Line("family", "one", "other", "median", "median", "difference", "99 %", "t", "verdict");
        Pair[] pairs = [.. groups.SelectMany(Compare)];
        Console.WriteLine();
        return pairs;
    }

    private static IEnumerable<Pair> Compare<TSubject>(Group<TSubject> group)
    {
        var sorted = Array.ConvertAll(group.Series, series => series.Times.Order().ToArray());
        var bounds = Comparison.Bounds(sorted);
        for (var i = 0; i < sorted.Length; i++)
        {
            for (var j = i + 1; j < sorted.Length; j++)
            {
                string one = group.Series[i].Class.Name, other = group.Series[j].Class.Name;
                var found = Comparison.Of(sorted[i], sorted[j], bounds);
                Line(group.Name, one, other, Text(Median(sorted[i])), Text(Median(sorted[j])), Signed(found.Difference),
                    $"{Signed(found.Difference - found.Within)} to {Signed(found.Difference + found.Within)}",
                    Text(found.T), found.IsDifference ? "DIFFERENCE" : "no difference found");
                yield return new(group.Name, one, other, found.IsDifference);
            }
        }
    }

    private static double Median(double[] sorted) => (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;

    private static string Text(double value) => value.ToString("0.0", CultureInfo.InvariantCulture);

    private static string Signed(double value) => value.ToString("+0.00;-0.00;0.00", CultureInfo.InvariantCulture);

    private static void Line(
        string family, string one, string other, string median, string otherMedian, string difference,
        string interval, string t, string verdict) =>
        Console.WriteLine(
            $"{family,-16}{one,-16}{other,-16}{median,9}{otherMedian,9}{difference,12}  {interval,-18}{t,8}  "
            + $"{verdict}");
}

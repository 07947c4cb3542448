using System.Globalization;

namespace Gateway.HitCost;

/// <summary>Checks whether a hit costs what is recorded, and whether an added cost would be detected.</summary>
internal static class Checks
{
    // The cost that is added to prove that an added cost is detected, as a share of a hit.
    private const double Added = 0.055, LeastAdded = 0.05, MostAdded = 0.06;

    private static readonly Kind[] Kinds = Enum.GetValues<Kind>();

    /// <returns>The problems that were found.</returns>
    public static List<string> Run()
    {
        // The two threads do not wait for each other.
        var (bare, gateway) = (OnThread(Bare), OnThread(Gateway));
        return Judge(bare.GetAwaiter().GetResult(), gateway.GetAwaiter().GetResult());
    }

    private static Costs Bare()
    {
        using var host = new Host(Subject.Bare);
        return new Costs(host.Bytes, Repeat(() => host.Count(Kind.Identity)), Brotli: [], Dearer: []);
    }

    private static Costs Gateway()
    {
        using var host = new Host(Subject.Gateway);
        var identity = Repeat(() => host.Count(Kind.Identity));
        var added = (int)(Added * Least(identity));
        return new Costs(host.Bytes, identity, Repeat(() => host.Count(Kind.Brotli)),
            Repeat(() => host.Count(Kind.Identity, added)));
    }

    // Occasionally a request does shared work, such as starting a scan for expired entries, or finds it done. At least
    // two of three requests do not, and have the same count.
    private static Instructions[] Repeat(Func<Instructions> count)
    {
        Instructions[] counts = [count(), count()];
        if (Verdict.OfRepeats("", counts) is null) return counts;
        counts = [.. counts.Append(count()).OrderBy(one => one.Counted)];
        return counts[1].Counted - counts[0].Counted < counts[2].Counted - counts[1].Counted
            ? counts[..2] : counts[1..];
    }

    private static List<string> Judge(Costs bare, Costs gateway)
    {
        var yardstick = Least(bare.Identity);
        var (identity, brotli, dearer) = (
            Times(Least(gateway.Identity)), Times(Least(gateway.Brotli)), Times(Least(gateway.Dearer)));
        var bytes = Array.ConvertAll(Kinds, kind => gateway.Bytes[(int)kind] - bare.Bytes[(int)kind]);
        var added = dearer / identity - 1;

        Print($"{"",-16} {"instructions",12} {"of bare",8} {"recorded",9} {"bytes above",12} {"recorded",9}");
        Print($"{"bare",-16} {yardstick,12}");
        Row("hit, identity", gateway.Identity, Recorded.Identity, bytes[0], Recorded.BytesInIdentity);
        Row("hit, Brotli", gateway.Brotli, Recorded.Brotli, bytes[1], Recorded.BytesInBrotli);
        Print($"{"added cost",-16} {Least(gateway.Dearer),12} {dearer,8:0.000}");

        string?[] wrong =
        [
            Verdict.OfRepeats("Bare", bare.Identity),
            Verdict.OfRepeats("Identity", gateway.Identity),
            Verdict.OfRepeats("Brotli", gateway.Brotli),
            Verdict.OfRepeats("Dearer", gateway.Dearer),
            Verdict.OfInstructions("Identity", identity, Recorded.Identity),
            Verdict.OfInstructions("Brotli", brotli, Recorded.Brotli),
            Verdict.OfRuntime("Identity", gateway.Identity.Min(one => one.InRuntime), yardstick),
            Verdict.OfRuntime("Brotli", gateway.Brotli.Min(one => one.InRuntime), yardstick),
            Verdict.OfBytes("Identity", bytes[0], Recorded.BytesInIdentity),
            Verdict.OfBytes("Brotli", bytes[1], Recorded.BytesInBrotli),
            // Proves that the measurement detects an added cost.
            added is > LeastAdded and < MostAdded
                ? null : $"The added cost is {added:P1} of a hit instead of {Added:P1}.",
            Verdict.IsDearer(dearer, Recorded.Identity)
                ? null : $"A hit that costs {added:P1} more would not be detected.",
        ];
        return [.. wrong.OfType<string>()];

        double Times(long instructions) => (double)instructions / yardstick;

        void Row(string kind, Instructions[] counts, double recorded, long bytes, long recordedBytes)
        {
            var least = Least(counts);
            Print($"{kind,-16} {least,12} {Times(least),8:0.000} {recorded,9:0.000} {bytes,12} {recordedBytes,9}");
        }
    }

    private static long Least(Instructions[] repeats) => repeats.Min(one => one.Counted);

    private static void Print(FormattableString line) => Console.WriteLine(line.ToString(CultureInfo.InvariantCulture));

    private static Task<T> OnThread<T>(Func<T> run)
    {
        var result = new TaskCompletionSource<T>();
        new Thread(() =>
        {
            try
            {
                result.SetResult(run());
            }
            catch (Exception e) when (e is InvalidOperationException or NotPermittedException)
            {
                result.SetException(e);
            }
        }).Start();
        return result.Task;
    }

    private sealed record Costs(long[] Bytes, Instructions[] Identity, Instructions[] Brotli, Instructions[] Dearer);
}

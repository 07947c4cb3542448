using System.Globalization;

namespace Gateway.HitCost;

/// <summary>Compares what was measured with what is recorded.</summary>
internal static class Verdict
{
    /// <summary>
    /// How far a count may be from the recorded one. Wherever in between it was, one that has become dearer by a
    /// twentieth is beyond it: (1 - 0.024) · 1.05 > 1 + 0.024.
    /// </summary>
    public const double Tolerance = 0.024;

    /// <summary>By how much the same count may differ when it is repeated.</summary>
    public const double Noise = 0.01;

    // It is half as much as all that is counted of the bare one, and with bad luck two thirds.
    private const double MostInRuntime = 0.75;

    public static bool IsDearer(double measured, double recorded) => measured > recorded * (1 + Tolerance);

    /// <returns>What is wrong; null: nothing.</returns>
    public static string? OfInstructions(string what, double measured, double recorded)
    {
        var (more, now) = (measured / recorded - 1, measured.ToString("0.000", CultureInfo.InvariantCulture));
        if (IsDearer(measured, recorded)) return $"{what}: {more:P1} more instructions than recorded ({now} times the bare ones).";
        return more >= -Tolerance ? null
            : $"{what}: {-more:P1} fewer instructions than recorded. Lower Recorded.{what} in bench/HitCost/Recorded.cs to {now}, for what was won could be lost unseen.";
    }

    /// <summary>Bytes are exact: not one may be added.</summary>
    /// <returns>What is wrong; null: nothing.</returns>
    public static string? OfBytes(string what, long measured, long recorded) => measured > recorded
        ? $"{what}: {measured - recorded} bytes more are allocated than recorded ({measured}, not {recorded})."
        : measured < recorded * (1 - Tolerance)
        ? $"{what}: {recorded - measured} bytes fewer are allocated than recorded. Lower Recorded.BytesIn{what} in bench/HitCost/Recorded.cs to {measured}."
        : null;

    /// <returns>What is wrong; null: nothing.</returns>
    public static string? OfRepeats(string what, IEnumerable<Instructions> repeats)
    {
        long least = repeats.Min(one => one.Counted), most = repeats.Max(one => one.Counted);
        return most > least * (1 + Noise) ? $"{what}: repeated, it is between {least} and {most} instructions, so nothing can be said." : null;
    }

    /// <summary>What is not counted has a bound, too, so that nothing dear can hide there.</summary>
    /// <returns>What is wrong; null: nothing.</returns>
    public static string? OfRuntime(string what, long inRuntime, long bare) => inRuntime > bare * MostInRuntime
        ? $"{what}: {inRuntime} instructions are in the runtime's own code, and {bare * MostInRuntime:0} may be." : null;
}

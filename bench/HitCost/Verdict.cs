using System.Globalization;

namespace Gateway.HitCost;

/// <summary>Compares measured values with the recorded ones.</summary>
internal static class Verdict
{
    /// <summary>
    /// The allowed deviation from the recorded count. A count anywhere in this range that grows by a twentieth leaves
    /// the range: (1 - 0.024) · 1.05 > 1 + 0.024.
    /// </summary>
    public const double Tolerance = 0.024;

    /// <summary>The allowed difference between repeated counts.</summary>
    public const double Noise = 0.01;

    // Typically half of the bare server's counted instructions, and at most about two thirds.
    private const double MostInRuntime = 0.75;

    public static bool IsDearer(double measured, double recorded) => measured > recorded * (1 + Tolerance);

    /// <returns>The problem, or null.</returns>
    public static string? OfInstructions(string what, double measured, double recorded)
    {
        var (more, now) = (measured / recorded - 1, measured.ToString("0.000", CultureInfo.InvariantCulture));
        if (IsDearer(measured, recorded))
            return $"{what}: {more:P1} more instructions than recorded ({now} times the bare server's).";
        return more >= -Tolerance ? null
            : $"{what}: {-more:P1} fewer instructions than recorded. Lower Recorded.{what} in "
                + $"bench/HitCost/Recorded.cs to {now}, so that a later increase is detected.";
    }

    /// <summary>Bytes are exact: no increase is allowed.</summary>
    /// <returns>The problem, or null.</returns>
    public static string? OfBytes(string what, long measured, long recorded) => measured > recorded
        ? $"{what}: {measured - recorded} bytes more are allocated than recorded ({measured}, not {recorded})."
        : measured < recorded * (1 - Tolerance)
        ? $"{what}: {recorded - measured} bytes fewer are allocated than recorded. Lower Recorded.BytesIn{what} in "
            + $"bench/HitCost/Recorded.cs to {measured}."
        : null;

    /// <returns>The problem, or null.</returns>
    public static string? OfRepeats(string what, IEnumerable<Instructions> repeats)
    {
        long least = repeats.Min(one => one.Counted), most = repeats.Max(one => one.Counted);
        return most > least * (1 + Noise)
            ? $"{what}: repeated counts are from {least} to {most} instructions, so there is no verdict." : null;
    }

    /// <summary>The excluded instructions have a limit too, so that they cannot hide a large cost.</summary>
    /// <returns>The problem, or null.</returns>
    public static string? OfRuntime(string what, long inRuntime, long bare) => inRuntime > bare * MostInRuntime
        ? $"{what}: {inRuntime} instructions are in the runtime's own code; the limit is {bare * MostInRuntime:0}."
        : null;
}

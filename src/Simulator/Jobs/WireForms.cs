using System.Globalization;

namespace Simulator.Jobs;

/// <summary>Formats values whose form the documentation leaves open.</summary>
internal static class WireForms
{
    public static string Timestamp(DateTimeOffset at, TimeForm form) => at.UtcDateTime.ToString(
        form switch
        {
            TimeForm.Offset => "yyyy-MM-dd'T'HH:mm:ss'+00:00'",
            TimeForm.Fraction => "yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'",
            TimeForm.Space => "yyyy-MM-dd HH:mm:ss'Z'",
            _ => "yyyy-MM-dd'T'HH:mm:ss'Z'",
        },
        CultureInfo.InvariantCulture);

    public static string Progress(int percent, ProgressForm form) => form switch
    {
        ProgressForm.Percent => $"{percent}%",
        ProgressForm.Decimal => $"{percent}.0",
        _ => $"{percent}",
    };

    public static string Duration(TimeSpan duration) => $"{(int)duration.TotalMinutes}m{duration.Seconds}s";
}

internal enum TimeForm
{
    Z,
    Offset,
    Fraction,
    Space,
}

internal enum ProgressForm
{
    Plain,
    Percent,
    Decimal,
}

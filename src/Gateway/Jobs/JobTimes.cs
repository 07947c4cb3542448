using System.Globalization;
using System.Text.Json;

namespace Gateway.Jobs;

/// <summary>What a job says of its own time.</summary>
/// <param name="StartedAt"><c>exec_created_at</c>, else <c>created_at</c>; null where there is neither, or none that can be read.</param>
/// <param name="FinishedAt"><c>finished_at</c>, likewise.</param>
/// <param name="Estimated"><c>estimated_duration</c>; null where it says nothing.</param>
/// <param name="Progress">Of 1; null where it says nothing.</param>
internal sealed record JobTimes(DateTimeOffset? StartedAt, DateTimeOffset? FinishedAt, TimeSpan? Estimated, double? Progress)
{
    private static readonly JobTimes Unknown = new(null, null, null, null);

    private static readonly TimeSpan Longest = TimeSpan.FromDays(365);

    /// <summary>How long it took, or null.</summary>
    public TimeSpan? Took => FinishedAt - StartedAt is { Ticks: > 0 } took && took < Longest ? took : null;

    /// <summary>Reads the body of a job; what cannot be read says nothing.</summary>
    public static JobTimes Read(ReadOnlySpan<byte> body) => JobFacts.TryRead(body, out var job) ? job.Times : Unknown;

    /// <summary>With Z or an offset, with or without a fraction, with T or a space (RFC 3339, section 5.6). The zero time is none.</summary>
    internal static DateTimeOffset? Time(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.String) return null;
        // Without an offset, the reader would take it for local time.
        var isRead = reader.ValueSpan is [.., (byte)'Z'] && reader.TryGetDateTimeOffset(out var time)
            || DateTimeOffset.TryParse(JobFacts.TextOf(ref reader), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out time);
        return isRead && time.Year > 1 ? time : null;
    }

    /// <summary>A number of seconds.</summary>
    internal static TimeSpan? Duration(ref Utf8JsonReader reader) =>
        Number(ref reader) is > 0 and var seconds && seconds < Longest.TotalSeconds ? TimeSpan.FromSeconds(seconds) : null;

    /// <summary>A percentage, of 1.</summary>
    internal static double? Share(ref Utf8JsonReader reader) => Number(ref reader) is >= 0 and <= 100 and var percent ? percent / 100 : null;

    // A number, or text that is one, as "45", "45.0" and "45%".
    private static double? Number(ref Utf8JsonReader reader)
    {
        if (reader.TokenType == JsonTokenType.Number && reader.TryGetDouble(out var number)) return number;
        return reader.TokenType == JsonTokenType.String
            && double.TryParse(JobFacts.TextOf(ref reader)?.TrimEnd('%', ' '), NumberStyles.Float, CultureInfo.InvariantCulture, out number)
            && double.IsFinite(number) ? number : null;
    }
}

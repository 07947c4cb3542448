using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Gateway.Jobs;

/// <summary>What a job says of its own time.</summary>
/// <param name="StartedAt">
/// <c>exec_created_at</c>, else <c>created_at</c>; null where there is neither, or none that can be read.
/// </param>
/// <param name="FinishedAt"><c>finished_at</c>, likewise; a placeholder is none.</param>
/// <param name="Estimated"><c>estimated_duration</c>; null where it says nothing.</param>
/// <param name="Progress">Of 1; null where it says nothing.</param>
internal sealed partial record JobTimes(
    DateTimeOffset? StartedAt, DateTimeOffset? FinishedAt, TimeSpan? Estimated, double? Progress)
{
    private static readonly JobTimes Unknown = new(null, null, null, null);

    private static readonly TimeSpan Longest = TimeSpan.FromDays(365), LongestOffset = TimeSpan.FromHours(14);

    private const int LongestTimestamp = 64;

    // Times before this are placeholders: the epochs of 0001, 1601, 1753, 1900, 1970, 1980, 2000 and 2001, in any zone.
    private static readonly DateTimeOffset Earliest = new(2001, 1, 3, 0, 0, 0, TimeSpan.Zero);

    /// <summary>Whether any of them is there.</summary>
    public bool SaySomething => this != Unknown;

    /// <summary>How long it took, or null.</summary>
    public TimeSpan? Took => FinishedAt - StartedAt is { Ticks: > 0 } took && took < Longest ? took : null;

    /// <summary>Reads the body of a job; what cannot be read says nothing.</summary>
    public static JobTimes Read(ReadOnlySpan<byte> body) =>
        JobFacts.TryRead(body, now: null, out var job) ? job.Times : Unknown;

    /// <summary>
    /// A date and a time of day: RFC 3339, section 5.6, and its relatives with a space, without an offset (UTC), with a
    /// comma, or with the name of UTC behind; or a Unix time in seconds, milliseconds, microseconds or nanoseconds, as
    /// a number or as text. Everything else is null, and so is a time that stands for none, such as 0001-01-01 or
    /// 1970-01-01.
    /// </summary>
    internal static DateTimeOffset? Time(ref Utf8JsonReader reader)
    {
        // Without an offset, the reader would take it for local time.
        var isUtc = reader is { TokenType: JsonTokenType.String, ValueSpan: [.., (byte)'Z'] };
        if (isUtc && reader.TryGetDateTimeOffset(out var time)) return IfPossible(time);
        if (Number(ref reader) is { } number) return IfPossible(UnixTime(number));
        if (reader.TokenType != JsonTokenType.String) return null;
        return JobFacts.TextOf(ref reader) is { Length: <= LongestTimestamp } text ? IfPossible(TimeOf(text)) : null;
    }

    private static DateTimeOffset? IfPossible(DateTimeOffset? time) => time >= Earliest ? time : null;

    private static DateTimeOffset? TimeOf(string text)
    {
        if (Timestamp().Match(text) is not { Success: true } match) return null;
        // A leap second (RFC 3339, section 5.7) has no number of its own here.
        var seconds = match.Groups["s"].Value is "60" ? "59" : match.Groups["s"].Value;
        var (day, minute) = (match.Groups["d"].Value.Replace('/', '-'), match.Groups["m"].Value);
        var plain = $"{day}T{minute}:{(seconds.Length > 0 ? seconds : "00")}";
        var culture = CultureInfo.InvariantCulture;
        if (!DateTime.TryParseExact(plain, "s", culture, DateTimeStyles.None, out var local)) return null;
        var offset = Offset(match.Groups["o"].Value);
        if (offset.Duration() > LongestOffset || local.Year is < 2 or > 9998) return null;
        return new DateTimeOffset(local, TimeSpan.Zero) - offset + Fraction(match.Groups["f"].Value);
    }

    // +hh, +hhmm or +hh:mm; nothing is UTC.
    private static TimeSpan Offset(string text)
    {
        var digits = text.Replace(":", "", StringComparison.Ordinal);
        if (digits.Length == 0) return TimeSpan.Zero;
        var minutes = digits.Length > 3 ? int.Parse(digits.AsSpan(3, 2), CultureInfo.InvariantCulture) : 0;
        var offset = TimeSpan.FromMinutes(int.Parse(digits.AsSpan(1, 2), CultureInfo.InvariantCulture) * 60 + minutes);
        return digits[0] == '-' ? -offset : offset;
    }

    private static TimeSpan Fraction(string digits) =>
        TimeSpan.FromTicks(long.Parse(digits.PadRight(7, '0').AsSpan(0, 7), CultureInfo.InvariantCulture));

    // The unit follows from the size: any of them is a time of this millennium in one unit alone.
    private static DateTimeOffset? UnixTime(double number)
    {
        var seconds = number switch
        {
            < 1e11 => number,
            < 1e14 => number / 1e3,
            < 1e17 => number / 1e6,
            _ => number / 1e9,
        };
        return seconds is > 0 and < 1e11 ? DateTimeOffset.UnixEpoch.AddSeconds(seconds) : null;
    }

    [GeneratedRegex(@"^\s*(?<d>[0-9]{4}(?<sep>[-/])[0-9]{2}\k<sep>[0-9]{2})[Tt _]\s*"
        + @"(?<m>[0-9]{2}:[0-9]{2})(:(?<s>[0-9]{2})([.,](?<f>[0-9]{1,30}))?)?"
        + @"\s*(?<o>[+-][0-9]{2}(:?[0-9]{2})?)?\s*(Z|z|UTC|GMT)?\s*$", RegexOptions.ExplicitCapture)]
    private static partial Regex Timestamp();

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

using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Gateway.Jobs;

/// <summary>The times in the body of a job. A value that is missing or cannot be parsed is null.</summary>
/// <param name="StartedAt"><c>exec_created_at</c>, otherwise <c>created_at</c>.</param>
/// <param name="FinishedAt"><c>finished_at</c>, unless it is a placeholder.</param>
/// <param name="Estimated"><c>estimated_duration</c>.</param>
/// <param name="Progress"><c>progress</c>, from 0 to 1.</param>
internal sealed partial record JobTimes(
    DateTimeOffset? StartedAt, DateTimeOffset? FinishedAt, TimeSpan? Estimated, double? Progress)
{
    private static readonly JobTimes Unknown = new(null, null, null, null);

    private static readonly TimeSpan Longest = TimeSpan.FromDays(365), LongestOffset = TimeSpan.FromHours(14);

    private const int LongestTimestamp = 64;

    // Times before this are placeholders: the epochs of 0001, 1601, 1753, 1900, 1970, 1980, 2000 and 2001, in any zone.
    private static readonly DateTimeOffset Earliest = new(2001, 1, 3, 0, 0, 0, TimeSpan.Zero);

    /// <summary>Whether the body states at least one of the times.</summary>
    public bool AreStated => this != Unknown;

    /// <summary>The duration of the job; null if it is unknown.</summary>
    public TimeSpan? Took => FinishedAt - StartedAt is { Ticks: > 0 } took && took < Longest ? took : null;

    /// <summary>Reads the times from the body of a job.</summary>
    public static JobTimes Read(ReadOnlySpan<byte> body) =>
        JobFacts.TryRead(body, now: null, out var job) ? job.Times : Unknown;

    /// <summary>
    /// Parses a timestamp of RFC 3339, section 5.6, and variants with a space, without an offset (UTC), with a decimal
    /// comma, or with a suffix UTC or GMT. Also parses a Unix time in seconds, milliseconds, microseconds or
    /// nanoseconds, as a number or as text. Returns null for any other value and for a placeholder such as 0001-01-01
    /// or 1970-01-01.
    /// </summary>
    internal static DateTimeOffset? Time(ref Utf8JsonReader reader)
    {
        // The reader would take a time without an offset for local time.
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
        // DateTime has no leap seconds (RFC 3339, section 5.7).
        var seconds = match.Groups["s"].Value is "60" ? "59" : match.Groups["s"].Value;
        var (day, minute) = (match.Groups["d"].Value.Replace('/', '-'), match.Groups["m"].Value);
        var plain = $"{day}T{minute}:{(seconds.Length > 0 ? seconds : "00")}";
        var culture = CultureInfo.InvariantCulture;
        if (!DateTime.TryParseExact(plain, "s", culture, DateTimeStyles.None, out var local)) return null;
        var offset = Offset(match.Groups["o"].Value);
        if (offset.Duration() > LongestOffset || local.Year is < 2 or > 9998) return null;
        return new DateTimeOffset(local, TimeSpan.Zero) - offset + Fraction(match.Groups["f"].Value);
    }

    // +hh, +hhmm or +hh:mm; empty for UTC.
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

    // The size of the number shows the unit: in only one of the units it is a time of this millennium.
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

    /// <summary>Parses a number of seconds.</summary>
    internal static TimeSpan? Duration(ref Utf8JsonReader reader) =>
        Number(ref reader) is > 0 and var seconds && seconds < Longest.TotalSeconds
            ? TimeSpan.FromSeconds(seconds) : null;

    /// <summary>Parses a percentage. Returns a number from 0 to 1.</summary>
    internal static double? Share(ref Utf8JsonReader reader) =>
        Number(ref reader) is >= 0 and <= 100 and var percent ? percent / 100 : null;

    // A number, or text such as "45", "45.0" or "45%".
    private static double? Number(ref Utf8JsonReader reader)
    {
        if (reader.TokenType == JsonTokenType.Number && reader.TryGetDouble(out var number)) return number;
        if (reader.TokenType != JsonTokenType.String) return null;
        var text = JobFacts.TextOf(ref reader)?.TrimEnd('%', ' ');
        return double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out number)
            && double.IsFinite(number) ? number : null;
    }
}

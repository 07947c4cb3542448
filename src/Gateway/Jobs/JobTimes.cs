using System.Globalization;
using System.Text;
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
    public static JobTimes Read(ReadOnlySpan<byte> body)
    {
        try
        {
            return ReadObject(body.StartsWith(Encoding.UTF8.Preamble) ? body[3..] : body);
        }
        catch (JsonException)
        {
            return Unknown;
        }
    }

    private static JobTimes ReadObject(ReadOnlySpan<byte> body)
    {
        var reader = new Utf8JsonReader(body, new JsonReaderOptions { MaxDepth = JobFacts.MaxDepth });
        DateTimeOffset? created = null, started = null, finished = null;
        TimeSpan? estimated = null;
        double? progress = null;
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject) return Unknown;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (IsNext(ref reader, "created_at"u8)) created = Time(ref reader);
            else if (IsNext(ref reader, "exec_created_at"u8)) started = Time(ref reader);
            else if (IsNext(ref reader, "finished_at"u8)) finished = Time(ref reader);
            else if (IsNext(ref reader, "estimated_duration"u8))
            {
                estimated = Number(ref reader) is > 0 and var seconds && seconds < Longest.TotalSeconds ? TimeSpan.FromSeconds(seconds) : null;
            }
            else if (IsNext(ref reader, "progress"u8)) progress = Number(ref reader) is >= 0 and <= 100 and var percent ? percent / 100 : null;
            reader.Skip();
        }
        return new JobTimes(started ?? created, finished, estimated, progress);
    }

    // Goes on to the value of the property with this name.
    private static bool IsNext(ref Utf8JsonReader reader, ReadOnlySpan<byte> name) => JobFacts.IsName(ref reader, name) && reader.Read();

    // With Z or an offset, with or without a fraction, with T or a space (RFC 3339, section 5.6). The zero time is none.
    private static DateTimeOffset? Time(ref Utf8JsonReader reader) =>
        reader.TokenType == JsonTokenType.String
        && DateTimeOffset.TryParse(JobFacts.TextOf(ref reader), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time)
        && time.Year > 1 ? time : null;

    // A number, or text that is one, as "45", "45.0" and "45%".
    private static double? Number(ref Utf8JsonReader reader)
    {
        if (reader.TokenType == JsonTokenType.Number && reader.TryGetDouble(out var number)) return number;
        return reader.TokenType == JsonTokenType.String
            && double.TryParse(JobFacts.TextOf(ref reader)?.TrimEnd('%', ' '), NumberStyles.Float, CultureInfo.InvariantCulture, out number)
            && double.IsFinite(number) ? number : null;
    }
}

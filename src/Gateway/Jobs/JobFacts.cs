using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace Gateway.Jobs;

/// <summary>What the gateway needs to know of a job's body, read in one pass that keeps nothing else.</summary>
/// <param name="Id">The job that the body names; null where it names none.</param>
/// <param name="WorkflowId">The workflow that the body names; null where it names none.</param>
/// <param name="Status">The status word as it came, or empty.</param>
/// <param name="HasFinishedAt">Whether <c>finished_at</c> is there and says something.</param>
/// <param name="UrlsExpireAt">When the first signed URL within the body expires; null where there is none.</param>
/// <param name="Times">What it says of its own time.</param>
internal sealed record JobFacts(
    string? Id, string? WorkflowId, string Status, bool HasFinishedAt, DateTimeOffset? UrlsExpireAt, JobTimes Times)
{
    /// <summary>Raw fields may hold any JSON; deeper than this it is not taken for a job.</summary>
    public const int MaxDepth = 512;

    // What stands for a value that cannot be an identifier, a status word or a timestamp.
    private const string NotText = "(not text)";

    private static ReadOnlySpan<byte> ByteOrderMark => [0xEF, 0xBB, 0xBF];

    /// <summary>Reads a body: one complete JSON object (RFC 8259) in valid UTF-8.</summary>
    /// <returns>False: it is not one.</returns>
    public static bool TryRead(ReadOnlySpan<byte> body, [NotNullWhen(true)] out JobFacts? facts)
    {
        facts = null;
        if (body.StartsWith(ByteOrderMark)) body = body[ByteOrderMark.Length..];
        if (!Utf8.IsValid(body)) return false;
        try
        {
            facts = Read(body);
            return facts is not null;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    /// <summary>A string's text; null where it has none, for JSON can escape half a surrogate pair.</summary>
    public static string? TextOf(ref Utf8JsonReader reader)
    {
        try
        {
            return reader.GetString();
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }

    private static JobFacts? Read(ReadOnlySpan<byte> body)
    {
        var reader = new Utf8JsonReader(body, new JsonReaderOptions { MaxDepth = MaxDepth });
        string? id = null, workflowId = null;
        var status = "";
        var hasFinishedAt = false;
        DateTimeOffset? urlsExpireAt = null, createdAt = null, executedAt = null, finishedAt = null;
        TimeSpan? estimated = null;
        double? progress = null;
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject) return null;

        var numbers = new ArrayBufferWriter<byte>();
        while (reader.Read())
        {
            switch (reader.TokenType)
            {
                case JsonTokenType.String:
                    urlsExpireAt = Earlier(urlsExpireAt, SignedUrl.ExpiryOf(ref reader));
                    continue;
                case JsonTokenType.Number:
                    // A raw field may come as its bytes, an integer each.
                    if (reader.TryGetByte(out var number)) numbers.Write([number]);
                    continue;
                case JsonTokenType.EndArray when numbers.WrittenCount > 0:
                    urlsExpireAt = Earlier(urlsExpireAt, SignedUrl.ExpiryIn(Encoding.UTF8.GetString(numbers.WrittenSpan)));
                    numbers.ResetWrittenCount();
                    continue;
                case JsonTokenType.StartArray:
                    numbers.ResetWrittenCount();
                    continue;
            }
            if (reader.TokenType != JsonTokenType.PropertyName || reader.CurrentDepth != 1) continue;

            // Where a name comes twice, the last one counts, as it does in most clients.
            if (IsNext(ref reader, "id"u8)) id = Text(ref reader);
            else if (IsNext(ref reader, "workflow_id"u8)) workflowId = Text(ref reader);
            else if (IsNext(ref reader, "status"u8)) status = Text(ref reader) ?? "";
            else if (IsNext(ref reader, "created_at"u8)) createdAt = JobTimes.Time(ref reader);
            else if (IsNext(ref reader, "exec_created_at"u8)) executedAt = JobTimes.Time(ref reader);
            else if (IsNext(ref reader, "finished_at"u8)) (hasFinishedAt, finishedAt) = (SaysSomething(Text(ref reader)), JobTimes.Time(ref reader));
            else if (IsNext(ref reader, "estimated_duration"u8)) estimated = JobTimes.Duration(ref reader);
            else if (IsNext(ref reader, "progress"u8)) progress = JobTimes.Share(ref reader);
        }
        return new JobFacts(id, workflowId, status, hasFinishedAt, urlsExpireAt, new JobTimes(executedAt ?? createdAt, finishedAt, estimated, progress));
    }

    // Goes on to the value of the property with this name, however it is escaped.
    private static bool IsNext(ref Utf8JsonReader reader, ReadOnlySpan<byte> name) =>
        (reader.ValueIsEscaped ? TextOf(ref reader) == Encoding.UTF8.GetString(name) : reader.ValueSpan.SequenceEqual(name)) && reader.Read();

    private static string? Text(ref Utf8JsonReader reader) => reader.TokenType switch
    {
        JsonTokenType.String => TextOf(ref reader) ?? NotText,
        JsonTokenType.Null => null,
        JsonTokenType.Number => Encoding.UTF8.GetString(reader.ValueSpan),
        _ => NotText,
    };

    // The zero time is how an unset timestamp is written where it is not a pointer.
    private static bool SaysSomething(string? timestamp) =>
        !string.IsNullOrWhiteSpace(timestamp) && timestamp is not ("0" or NotText)
        && !timestamp.StartsWith("0001-01-01", StringComparison.Ordinal);

    private static DateTimeOffset? Earlier(DateTimeOffset? one, DateTimeOffset? other) =>
        one is null || other < one ? other ?? one : one;
}

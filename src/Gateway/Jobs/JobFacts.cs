using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace Gateway.Jobs;

/// <summary>The facts in a job's body that decide its classification, read in one pass.</summary>
/// <param name="Id">The job id in the body; null if there is none.</param>
/// <param name="WorkflowId">The workflow id in the body; null if there is none.</param>
/// <param name="Status">The status word, unchanged; empty if there is none.</param>
/// <param name="UrlsExpireAt">When the first of the signed URLs that still work expires; null if none works.</param>
/// <param name="HasExpiredUrl">Whether a signed URL has already expired.</param>
/// <param name="HasError">Whether a member <c>error</c> or <c>errors</c> is present and not empty.</param>
/// <param name="Times">The times that the body states.</param>
internal sealed record JobFacts(
    string? Id, string? WorkflowId, string Status, DateTimeOffset? UrlsExpireAt, bool HasExpiredUrl, bool HasError,
    JobTimes Times)
{
    /// <summary>The deepest JSON that is accepted. Raw fields may hold any JSON.</summary>
    public const int MaxDepth = 512;

    // Replaces a value that is neither text nor a number.
    private const string NotText = "(not text)";

    private static ReadOnlySpan<byte> ByteOrderMark => [0xEF, 0xBB, 0xBF];

    /// <summary>
    /// Whether the body describes a job: it names the job or its workflow, or has a status and no error. An upstream
    /// may send an error or an empty object with status 200.
    /// </summary>
    public bool IsJob => Id is not (null or NotText) || WorkflowId is not (null or NotText)
        || (IsWord(Status) && (!HasError || Times.AreStated));

    private static bool IsWord(string status) =>
        status.AsSpan().Trim() is not ("" or NotText) && !double.TryParse(status, CultureInfo.InvariantCulture, out _);

    /// <summary>Reads a body, which must be one complete JSON object (RFC 8259) in valid UTF-8.</summary>
    /// <param name="now">The time by which signed URLs are judged; null to ignore signed URLs.</param>
    /// <returns>False if the body is anything else.</returns>
    public static bool TryRead(ReadOnlySpan<byte> body, DateTimeOffset? now, [NotNullWhen(true)] out JobFacts? facts)
    {
        facts = null;
        body = WithoutMark(body);
        if (!Utf8.IsValid(body)) return false;
        try
        {
            facts = Read(body, now);
            return facts is not null;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    /// <summary>Returns a body without the byte order mark that it may begin with (RFC 8259, section 8.1).</summary>
    public static ReadOnlySpan<byte> WithoutMark(ReadOnlySpan<byte> body) =>
        body.StartsWith(ByteOrderMark) ? body[ByteOrderMark.Length..] : body;

    /// <summary>Returns the text of a JSON string; null if it escapes an unpaired surrogate.</summary>
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

    private static JobFacts? Read(ReadOnlySpan<byte> body, DateTimeOffset? now)
    {
        var reader = new Utf8JsonReader(body, new JsonReaderOptions { MaxDepth = MaxDepth });
        string? id = null, workflowId = null;
        var status = "";
        var hasError = false;
        var urls = new UrlExpiries(now ?? DateTimeOffset.MaxValue);
        DateTimeOffset? createdAt = null, executedAt = null, finishedAt = null;
        TimeSpan? estimated = null;
        double? progress = null;
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject) return null;

        var numbers = new ArrayBufferWriter<byte>();
        while (reader.Read())
        {
            switch (reader.TokenType)
            {
                case JsonTokenType.String:
                    if (now is not null) SignedUrl.Read(ref reader, ref urls);
                    continue;
                case JsonTokenType.Number:
                    // A raw field may be an array of its bytes.
                    if (now is not null && reader.TryGetByte(out var number)) numbers.Write([number]);
                    continue;
                case JsonTokenType.EndArray when numbers.WrittenCount > 0:
                    SignedUrl.Read(Encoding.UTF8.GetString(numbers.WrittenSpan), ref urls);
                    numbers.ResetWrittenCount();
                    continue;
                case JsonTokenType.StartArray:
                    numbers.ResetWrittenCount();
                    continue;
            }
            if (reader.TokenType != JsonTokenType.PropertyName || reader.CurrentDepth != 1) continue;

            // If a name occurs twice, the last one counts, as in most clients.
            if (IsNext(ref reader, "id"u8)) id = Text(ref reader);
            else if (IsNext(ref reader, "workflow_id"u8)) workflowId = Text(ref reader);
            else if (IsNext(ref reader, "status"u8)) status = Text(ref reader) ?? "";
            else if (IsNext(ref reader, "created_at"u8)) createdAt = JobTimes.Time(ref reader);
            else if (IsNext(ref reader, "exec_created_at"u8)) executedAt = JobTimes.Time(ref reader);
            else if (IsNext(ref reader, "finished_at"u8)) finishedAt = JobTimes.Time(ref reader);
            else if (IsNext(ref reader, "estimated_duration"u8)) estimated = JobTimes.Duration(ref reader);
            else if (IsNext(ref reader, "progress"u8)) progress = JobTimes.Share(ref reader);
            else if (IsNext(ref reader, "error"u8)) hasError |= IsNotEmpty(ref reader);
            else if (IsNext(ref reader, "errors"u8)) hasError |= IsNotEmpty(ref reader);
        }
        var times = new JobTimes(executedAt ?? createdAt, finishedAt, estimated, progress);
        return new JobFacts(id, workflowId, status, urls.FirstToCome, urls.HasExpired, hasError, times);
    }

    // Moves to the value if the property has this name, escaped or not.
    private static bool IsNext(ref Utf8JsonReader reader, ReadOnlySpan<byte> name)
    {
        var isSame = reader.ValueIsEscaped
            ? TextOf(ref reader) == Encoding.UTF8.GetString(name) : reader.ValueSpan.SequenceEqual(name);
        return isSame && reader.Read();
    }

    private static string? Text(ref Utf8JsonReader reader) => reader.TokenType switch
    {
        JsonTokenType.String => TextOf(ref reader) ?? NotText,
        JsonTokenType.Null => null,
        JsonTokenType.Number => Encoding.UTF8.GetString(reader.ValueSpan),
        _ => NotText,
    };

    // Many encoders write a member even if it has no value.
    private static bool IsNotEmpty(ref Utf8JsonReader reader) => reader.TokenType switch
    {
        JsonTokenType.String => reader.ValueSpan.Length > 0,
        JsonTokenType.Null or JsonTokenType.False or JsonTokenType.StartArray => false,
        _ => true,
    };
}

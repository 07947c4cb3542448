using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace Gateway.Jobs;

/// <summary>What the gateway needs to know of a job's body, read in one pass that keeps nothing else.</summary>
/// <param name="Id">The job that the body names; null where it names none.</param>
/// <param name="WorkflowId">The workflow that the body names; null where it names none.</param>
/// <param name="Status">The status word as it came, or empty.</param>
/// <param name="UrlsExpireAt">When the first of the signed URLs that still work expires; null: there is none.</param>
/// <param name="HasExpiredUrl">Whether a signed URL had expired already.</param>
/// <param name="HasError">Whether it has a member <c>error</c> or <c>errors</c> that says something.</param>
/// <param name="Times">What it says of its own time.</param>
internal sealed record JobFacts(
    string? Id, string? WorkflowId, string Status, DateTimeOffset? UrlsExpireAt, bool HasExpiredUrl, bool HasError,
    JobTimes Times)
{
    /// <summary>Raw fields may hold any JSON; deeper than this it is not taken for a job.</summary>
    public const int MaxDepth = 512;

    // What stands for a value that cannot be an identifier, a status word or a timestamp.
    private const string NotText = "(not text)";

    private static ReadOnlySpan<byte> ByteOrderMark => [0xEF, 0xBB, 0xBF];

    /// <summary>
    /// Whether it is about a job at all: it names the job or its workflow, or has a status and no error. An upstream
    /// may send an error, or nothing, with a status of 200.
    /// </summary>
    public bool IsJob => Id is not (null or NotText) || WorkflowId is not (null or NotText)
        || (IsWord(Status) && (!HasError || Times.SaySomething));

    private static bool IsWord(string status) =>
        status.AsSpan().Trim() is not ("" or NotText) && !double.TryParse(status, CultureInfo.InvariantCulture, out _);

    /// <summary>Reads a body: one complete JSON object (RFC 8259) in valid UTF-8.</summary>
    /// <param name="now">Which signed URLs still work; null: they are not looked for.</param>
    /// <returns>False: it is not one.</returns>
    public static bool TryRead(ReadOnlySpan<byte> body, DateTimeOffset? now, [NotNullWhen(true)] out JobFacts? facts)
    {
        facts = null;
        if (body.StartsWith(ByteOrderMark)) body = body[ByteOrderMark.Length..];
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
                    // A raw field may come as its bytes, an integer each.
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

            // Where a name comes twice, the last one counts, as it does in most clients.
            if (IsNext(ref reader, "id"u8)) id = Text(ref reader);
            else if (IsNext(ref reader, "workflow_id"u8)) workflowId = Text(ref reader);
            else if (IsNext(ref reader, "status"u8)) status = Text(ref reader) ?? "";
            else if (IsNext(ref reader, "created_at"u8)) createdAt = JobTimes.Time(ref reader);
            else if (IsNext(ref reader, "exec_created_at"u8)) executedAt = JobTimes.Time(ref reader);
            else if (IsNext(ref reader, "finished_at"u8)) finishedAt = JobTimes.Time(ref reader);
            else if (IsNext(ref reader, "estimated_duration"u8)) estimated = JobTimes.Duration(ref reader);
            else if (IsNext(ref reader, "progress"u8)) progress = JobTimes.Share(ref reader);
            else if (IsNext(ref reader, "error"u8)) hasError |= SaysSomething(ref reader);
            else if (IsNext(ref reader, "errors"u8)) hasError |= SaysSomething(ref reader);
        }
        var times = new JobTimes(executedAt ?? createdAt, finishedAt, estimated, progress);
        return new JobFacts(id, workflowId, status, urls.FirstToCome, urls.HasExpired, hasError, times);
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

    // Many encoders write a member also where there is nothing to say.
    private static bool SaysSomething(ref Utf8JsonReader reader) => reader.TokenType switch
    {
        JsonTokenType.String => reader.ValueSpan.Length > 0,
        JsonTokenType.Null or JsonTokenType.False or JsonTokenType.StartArray => false,
        _ => true,
    };
}

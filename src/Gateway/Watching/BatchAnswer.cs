using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Gateway.Caching;
using Gateway.Jobs;
using Gateway.Problems;
using Gateway.Runtime;

namespace Gateway.Watching;

/// <summary>One job of a batch: its answer, or the problem instead.</summary>
internal readonly record struct BatchItem(JobAddress Job, IAnswer Answer);

/// <summary>
/// The answer to a request for several jobs: one JSON object, in which each job has its own status, entity tag and
/// freshness.
/// </summary>
internal sealed class BatchAnswer(BatchItem[] items, bool isSummary, SteadyClock clock) : IAnswer
{
    // The answer is flushed in pieces, so that the server does not hold all of it.
    private const int Piece = 64 * 1024;

    public int Status { get; private set; } = StatusCodes.Status200OK;

    public async ValueTask WriteAsync(HttpContext http)
    {
        var response = http.Response;
        var shown = Array.ConvertAll(items, Show);
        // The bodies are the same as long as the statuses and the tags are. Ages differ, so the validator is weak (RFC
        // 9110, section 8.8.1).
        var tags = string.Join(' ', shown.Select(one => $"{one.Item.Job} {one.Problem?.Type.Slug} {one.Body?.ETag}"));
        var tag = $"\"{Base64Url.EncodeToString(SHA256.HashData(Encoding.UTF8.GetBytes(tags)).AsSpan(0, 16))}\"";
        response.Headers.ETag = "W/" + tag;
        response.Headers.CacheControl = "private, no-cache";
        response.Headers.Vary = Answers.VaryWithPrefer;
        if (IfNoneMatch.Matches(http.Request.Headers.IfNoneMatch, tag))
        {
            response.StatusCode = Status = StatusCodes.Status304NotModified;
            return;
        }
        response.ContentType = "application/json";
        await using var writer = new Utf8JsonWriter(response.BodyWriter, JobData.Options);
        writer.WriteStartObject();
        writer.WriteStartArray("jobs");
        long flushed = 0;
        foreach (var one in shown)
        {
            Write(writer, one);
            if (writer.BytesCommitted + writer.BytesPending - flushed < Piece) continue;
            await writer.FlushAsync(http.RequestAborted);
            flushed = writer.BytesCommitted;
            await response.BodyWriter.FlushAsync(http.RequestAborted);
        }
        writer.WriteEndArray();
        writer.WriteEndObject();
        await writer.FlushAsync(http.RequestAborted);
    }

    private Shown Show(BatchItem item)
    {
        if (item.Answer is not JobAnswer answer) return new Shown(item, null, (Problem)item.Answer);
        var body = answer.Snapshot.Identity;
        if (isSummary) body = new Representation(ContentCoding.Identity, SummaryWriter.Of(body.Body.Span));
        return body.Body.Length <= JobEvent.MaxBody ? new Shown(item, body, null)
            : new Shown(item, null, new Problem(
                WatchingProblems.TooLarge, $"The job has more than {JobEvent.MaxBody} bytes."));
    }

    private void Write(Utf8JsonWriter writer, Shown one)
    {
        writer.WriteStartObject();
        JobData.WriteName(writer, one.Item.Job);
        if (one.Problem is { } problem)
        {
            writer.WriteNumber("status", problem.Status);
            if (problem.CacheStatus is { } cacheStatus) writer.WriteString("cache_status", cacheStatus);
            if (problem.RetryAfter is { } time) writer.WriteNumber("retry_after", Seconds(time));
            writer.WritePropertyName("problem");
            JsonSerializer.Serialize(writer, problem.Body(), JsonSerializerOptions.Web);
        }
        else
        {
            var answer = (JobAnswer)one.Item.Answer;
            var (snapshot, now) = (answer.Snapshot, clock.Now);
            writer.WriteNumber("status", StatusCodes.Status200OK);
            writer.WriteString("etag", one.Body!.ETag);
            writer.WriteString("cache_status", answer.CacheStatus.ToString());
            writer.WriteNumber("age", Math.Max(0, (long)(now - snapshot.FetchedAt).TotalSeconds));
            writer.WriteNumber("fresh_for", Math.Max(0, (long)(snapshot.FreshUntil - now).TotalSeconds));
            if (answer.NextPoll is { } next) writer.WriteNumber("retry_after", Seconds(next));
            writer.WritePropertyName("job");
            writer.WriteRawValue(JobFacts.WithoutMark(one.Body.Body.Span), skipInputValidation: true);
        }
        writer.WriteEndObject();
    }

    private static long Seconds(TimeSpan time) => Math.Max(0, (long)Math.Ceiling(time.TotalSeconds));

    private sealed record Shown(BatchItem Item, Representation? Body, Problem? Problem);
}

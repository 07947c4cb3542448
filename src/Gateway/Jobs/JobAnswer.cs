using System.Globalization;
using Gateway.Operations;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace Gateway.Jobs;

/// <summary>Step 8 of the request path: a job out of a snapshot, conditional, in a coding that the caller accepts.</summary>
internal sealed class JobAnswer(JobSnapshot snapshot, Representation representation, StringValues cacheStatus, bool fromCache, DateTimeOffset now) : IAnswer
{
    private const int Piece = 64 * 1024, PiecesAtOnce = 8;

    private static readonly StringValues Json = "application/json";

    /// <summary>When to ask again, of a job that is not finished; null: there is no telling.</summary>
    public TimeSpan? NextPoll { get; init; }

    /// <summary>Whether it answers for a failing upstream.</summary>
    public bool IsStale { get; init; }

    public int Status { get; private set; } = StatusCodes.Status200OK;

    public ValueTask WriteAsync(HttpContext http)
    {
        var headers = http.Response.Headers;
        headers.ETag = representation.ETag;
        headers.Vary = Answers.Vary;
        headers["Cache-Status"] = cacheStatus;
        if (NextPoll is { } time) headers.RetryAfter = Seconds(time);
        if (fromCache)
        {
            var fields = HitFields.Of(snapshot, now);
            headers.Age = fields.Age;
            headers.CacheControl = snapshot.Kind == VerdictKind.Finished ? fields.CacheControl : CacheControl((now - snapshot.FetchedAt).TotalSeconds);
        }
        else headers.CacheControl = CacheControl(age: 0);

        if (MatchesIfNoneMatch(http.Request.Headers, representation.ETag))
        {
            http.Response.StatusCode = Status = StatusCodes.Status304NotModified;
            return default;
        }
        headers.ContentType = Json;
        headers.ContentLength = representation.Body.Length;
        if (representation.ContentEncoding is { } coding) headers.ContentEncoding = coding;
        return HttpMethods.IsHead(http.Request.Method) ? default : WriteAsync(http, representation.Body);
    }

    private static ValueTask WriteAsync(HttpContext http, ReadOnlyMemory<byte> body)
    {
        if (body.Length > Piece) return WritePiecesAsync(http, body);
        // A token would be made for this request alone; what is left to write is less than the server holds for a connection.
        var writing = http.Response.BodyWriter.WriteAsync(body);
        return writing.IsCompletedSuccessfully ? default : new(writing.AsTask());
    }

    // So that a large body takes no more of the server's buffers than a slow client's connection does, and no more of a
    // thread's time at once than a small one.
    private static async ValueTask WritePiecesAsync(HttpContext http, ReadOnlyMemory<byte> body)
    {
        var writer = http.Response.BodyWriter;
        for (var piece = 1; body.Length > Piece; piece++, body = body[Piece..])
        {
            await writer.WriteAsync(body[..Piece], http.RequestAborted);
            if (piece % PiecesAtOnce == 0) await Task.Yield();
        }
        await writer.WriteAsync(body, http.RequestAborted);
    }

    private string CacheControl(double age) => HitFields.CacheControlOf(
        snapshot, snapshot.Kind == VerdictKind.Finished ? HitFields.LongestReuse : IsStale ? TimeSpan.Zero : NextPoll ?? TimeSpan.Zero, Math.Max(0, (long)age), now);

    private static string Seconds(TimeSpan time) => Math.Max(0, (long)time.TotalSeconds).ToString(CultureInfo.InvariantCulture);

    /// <summary>RFC 9110, section 13.1.2: any of the listed validators, compared weakly, or <c>*</c>.</summary>
    private static bool MatchesIfNoneMatch(IHeaderDictionary headers, string etag)
    {
        if (headers.IfNoneMatch.Count == 0) return false;
        if (headers.IfNoneMatch.Count == 1 && headers.IfNoneMatch[0] == etag) return true;
        if (!EntityTagHeaderValue.TryParseList(headers.IfNoneMatch, out var listed)) return false;
        var current = new EntityTagHeaderValue(etag);
        return listed.Any(tag => tag.Equals(EntityTagHeaderValue.Any) || tag.Compare(current, useStrongComparison: false));
    }
}

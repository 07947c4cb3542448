using System.Globalization;
using System.IO.Pipelines;
using Gateway.Problems;
using Microsoft.Extensions.Primitives;

namespace Gateway.Caching;

/// <summary>
/// Step 8 of the request path: a job out of a snapshot, conditional, in a coding that the caller accepts.
/// </summary>
internal sealed class JobAnswer(JobSnapshot snapshot, Representation representation, StringValues cacheStatus, bool fromCache, DateTimeOffset now) : IAnswer
{
    private const int Piece = 64 * 1024, PiecesAtOnce = 2;

    private static readonly StringValues Json = "application/json", NoAge = "0";

    /// <summary>
    /// How long from now a poll is next worth its while, of a job that is under way: <c>Retry-After</c> in whole
    /// seconds, rounded up. Null where there is no telling.
    /// </summary>
    public TimeSpan? NextPoll { get; init; }

    public int Status { get; private set; } = StatusCodes.Status200OK;

    public JobSnapshot Snapshot => snapshot;

    /// <summary>
    /// Whether its body is written in pieces, and so held for as long as its caller takes to read it.
    /// </summary>
    public bool IsLarge => IsLargeBody(representation);

    /// <summary>
    /// Whether the caller's connection or stream was found closed before the whole body was handed over.
    /// </summary>
    public bool CallerLeft { get; private set; }

    public static bool IsLargeBody(Representation representation) => representation.Body.Length > Piece;

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
            headers.CacheControl = fields.CacheControl;
        }
        else headers.CacheControl = HitFields.CacheControlOf(snapshot, age: 0, now);

        if (IfNoneMatch.Matches(http.Request.Headers.IfNoneMatch, representation.ETag))
        {
            // A 304 replaces the fields of the client's copy (RFC 9111, section 3.2). One that it lacks stays there.
            if (!fromCache) headers.Age = NoAge;
            http.Response.StatusCode = Status = StatusCodes.Status304NotModified;
            return default;
        }
        headers.ContentType = Json;
        headers.ContentLength = representation.Body.Length;
        if (representation.ContentEncoding is { } coding) headers.ContentEncoding = coding;
        return http.Request.Method == "HEAD" ? default : WriteAsync(http, representation.Body);
    }

    private ValueTask WriteAsync(HttpContext http, ReadOnlyMemory<byte> body)
    {
        if (body.Length > Piece) return WritePiecesAsync(http, body);
        // A token would be made for this request alone; what is left to write is less than the server holds for a
        // connection.
        var writing = http.Response.BodyWriter.WriteAsync(body);
        if (!writing.IsCompletedSuccessfully) return WaitAsync(http, writing);
        CallerLeft = writing.Result.IsCompleted;
        return default;
    }

    private async ValueTask WaitAsync(HttpContext http, ValueTask<FlushResult> writing)
    {
        // A connection that ends meanwhile may end the wait without saying so.
        CallerLeft = (await writing).IsCompleted || (await http.Response.BodyWriter.FlushAsync()).IsCompleted
            || http.RequestAborted.IsCancellationRequested;
    }

    // So that a large body takes no more of the server's buffers than a slow client's connection does, and no more of a
    // thread's time at once than a small one.
    private async ValueTask WritePiecesAsync(HttpContext http, ReadOnlyMemory<byte> body)
    {
        var writer = http.Response.BodyWriter;
        for (var piece = 1; body.Length > Piece && !CallerLeft; piece++, body = body[Piece..])
        {
            CallerLeft = (await writer.WriteAsync(body[..Piece], http.RequestAborted)).IsCompleted;
            if (piece % PiecesAtOnce == 0) await Task.Yield();
        }
        if (!CallerLeft) CallerLeft = (await writer.WriteAsync(body, http.RequestAborted)).IsCompleted;
    }

    private static string Seconds(TimeSpan time) =>
        Math.Max(0, (long)Math.Ceiling(time.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
}

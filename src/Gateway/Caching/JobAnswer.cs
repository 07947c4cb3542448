using System.Globalization;
using System.IO.Pipelines;
using Gateway.Problems;
using Microsoft.Extensions.Primitives;

namespace Gateway.Caching;

/// <summary>Step 8 of the request path: writes a job from a snapshot, or 304 if the caller has it.</summary>
internal sealed class JobAnswer(
    JobSnapshot snapshot, Representation representation, StringValues cacheStatus, bool fromCache, DateTimeOffset now)
    : IAnswer
{
    private const int Piece = 64 * 1024, PiecesAtOnce = 2;

    private static readonly StringValues Json = "application/json", NoAge = "0";

    /// <summary>
    /// The recommended time until the next poll of a running job, sent as <c>Retry-After</c> in whole seconds, rounded
    /// up. Null if there is no recommendation.
    /// </summary>
    public TimeSpan? NextPoll { get; init; }

    public int Status { get; private set; } = StatusCodes.Status200OK;

    public JobSnapshot Snapshot => snapshot;

    /// <summary>The value of <c>Cache-Status</c>.</summary>
    public StringValues CacheStatus => cacheStatus;

    /// <summary>
    /// Whether the body is written in pieces. Such a body stays in memory until its caller has read it.
    /// </summary>
    public bool IsLarge => IsLargeBody(representation);

    /// <summary>Whether the caller closed its connection or stream before the server took the whole body.</summary>
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
            // A 304 updates the fields of the client's copy (RFC 9111, section 3.2), so it must replace an old Age.
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
        // No cancellation token: RequestAborted would allocate one for this request, and the server can buffer the
        // whole body anyway.
        var writing = http.Response.BodyWriter.WriteAsync(body);
        if (!writing.IsCompletedSuccessfully) return WaitAsync(http, writing);
        CallerLeft = writing.Result.IsCompleted;
        return default;
    }

    private async ValueTask WaitAsync(HttpContext http, ValueTask<FlushResult> writing)
    {
        // The write may complete normally although the connection has closed meanwhile.
        CallerLeft = (await writing).IsCompleted || (await http.Response.BodyWriter.FlushAsync()).IsCompleted
            || http.RequestAborted.IsCancellationRequested;
    }

    // Pieces bound the server's buffers for one response, and the time for which it keeps a thread.
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

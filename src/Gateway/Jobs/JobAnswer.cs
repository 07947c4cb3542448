using System.Globalization;
using Gateway.Operations;
using Microsoft.Net.Http.Headers;

namespace Gateway.Jobs;

/// <summary>Step 8 of the request path: a job out of a snapshot, conditional, in a coding that the caller accepts.</summary>
internal sealed class JobAnswer(JobSnapshot snapshot, string cacheStatus, bool fromCache, DateTimeOffset now) : IAnswer
{
    private static readonly TimeSpan BrowserReuse = TimeSpan.FromSeconds(300);

    /// <summary>When to ask again, of a job that is not finished; null: there is no telling.</summary>
    public TimeSpan? NextPoll { get; init; }

    /// <summary>Whether it answers for a failing upstream.</summary>
    public bool IsStale { get; init; }

    public int Status { get; private set; } = StatusCodes.Status200OK;

    public async ValueTask WriteAsync(HttpContext http)
    {
        var representation = ContentNegotiation.Choose(snapshot, http.Request.Headers);
        var headers = http.Response.Headers;
        headers.ETag = representation.ETag;
        headers.CacheControl = CacheControl();
        headers.Vary = Answers.Vary;
        headers["Cache-Status"] = cacheStatus;
        if (NextPoll is { } time) headers.RetryAfter = Seconds(time);
        if (fromCache) headers.Age = Seconds(now - snapshot.FetchedAt);

        if (MatchesIfNoneMatch(http.Request.Headers, representation.ETag))
        {
            http.Response.StatusCode = Status = StatusCodes.Status304NotModified;
            return;
        }
        headers.ContentType = "application/json";
        headers.ContentLength = representation.Body.Length;
        if (representation.ContentEncoding is { } coding) headers.ContentEncoding = coding;
        if (HttpMethods.IsHead(http.Request.Method)) return;
        await WriteAsync(http, representation.Body);
    }

    // In pieces, so that a large body takes no more of the server's buffers than a slow client's connection does.
    private static async ValueTask WriteAsync(HttpContext http, ReadOnlyMemory<byte> body)
    {
        const int Piece = 64 * 1024;
        var writer = http.Response.BodyWriter;
        for (; body.Length > Piece; body = body[Piece..]) await writer.WriteAsync(body[..Piece], http.RequestAborted);
        await writer.WriteAsync(body, http.RequestAborted);
    }

    // What never changes again may be reused for a while without asking, and what does, until it is to be asked for again;
    // nobody's copy outlives a signed URL within it.
    private string CacheControl()
    {
        var reuse = snapshot.Kind == VerdictKind.Finished ? snapshot.FreshUntil - now < BrowserReuse ? snapshot.FreshUntil - now : BrowserReuse
            : IsStale ? TimeSpan.Zero : NextPoll ?? TimeSpan.Zero;
        if (snapshot.UrlsExpireAt is { } expiry && expiry - now < reuse) reuse = expiry - now;
        if (reuse < TimeSpan.FromSeconds(1)) return "private, no-cache";
        // It counts from when the upstream said it, as Age does (RFC 9111, section 4.2).
        var age = fromCache ? now - snapshot.FetchedAt : TimeSpan.Zero;
        return $"private, max-age={Seconds(TimeSpan.FromSeconds((long)age.TotalSeconds) + reuse)}";
    }

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

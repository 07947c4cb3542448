using Gateway.Problems;
using Gateway.Runtime;
using Microsoft.AspNetCore.Http.Features;

namespace Gateway.Edge;

/// <summary>
/// The body of a request to an operation that has no use for one. The content of a GET or HEAD has no meaning (RFC
/// 9110, section 9.3.1), and some clients send <c>{}</c>: it is read and dropped before the answer, so that the
/// connection stays usable. A body over <see cref="LargestDropped"/> bytes is answered 413, and its connection closes,
/// which the answer says.
/// </summary>
internal static class RequestBody
{
    /// <summary>The largest body that is read to be dropped, in bytes.</summary>
    public const int LargestDropped = 64 * 1024;

    /// <summary>Whether there is a body, or may be one.</summary>
    public static bool MayBeIn(HttpContext http) =>
        http.Features.Get<IHttpRequestBodyDetectionFeature>() is { CanHaveBody: true };

    public static void UseRequestBodies(this WebApplication app) => app.Use((http, next) =>
        MayBeIn(http) && http.GetEndpoint()?.Metadata.GetMetadata<ReadsBody>() is null ? DropAsync(http, next) : next(http));

    private static async Task DropAsync(HttpContext http, RequestDelegate next)
    {
        int status;
        try
        {
            var isLarge = http.Request.ContentLength > LargestDropped || !await IsDroppedAsync(http);
            status = isLarge ? StatusCodes.Status413PayloadTooLarge : 0;
        }
        catch (BadHttpRequestException e)
        {
            // It came too slowly, or its chunks are malformed.
            status = e.StatusCode;
        }
        catch (IOException)
        {
            // The caller has left.
            http.Abort();
            return;
        }
        if (status == 0)
        {
            await next(http);
            return;
        }
        // Of HTTP/2 a stream ends, and not the connection.
        var isHttp1 = http.Request.Protocol.StartsWith("HTTP/1", StringComparison.Ordinal);
        if (isHttp1) http.Response.Headers.Connection = "close";
        var problem = status == StatusCodes.Status413PayloadTooLarge
            ? new Problem(
                ProblemType.ContentTooLarge, $"A body of more than {LargestDropped} bytes is not read; this operation needs none.")
            : new Problem(ProblemType.BadRequest with { Status = status }, "The request's body is malformed, or came too slowly.");
        await problem.WriteAsync(http);
    }

    /// <returns>False: it is too large.</returns>
    private static async ValueTask<bool> IsDroppedAsync(HttpContext http)
    {
        var reader = http.Request.BodyReader;
        for (var length = 0L; ;)
        {
            var read = await reader.ReadAsync(http.RequestAborted);
            length += read.Buffer.Length;
            reader.AdvanceTo(read.Buffer.End);
            if (length > LargestDropped) return false;
            if (read.IsCompleted) return true;
        }
    }
}

using Gateway.Problems;
using Gateway.Runtime;
using Microsoft.AspNetCore.Http.Features;

namespace Gateway.Edge;

/// <summary>
/// Reads and drops the body of a request to an operation that needs none. The content of a GET or HEAD has no meaning
/// (RFC 9110, section 9.3.1), but some clients send <c>{}</c>. The body is read before the response, so that the
/// connection stays usable. A body over <see cref="LargestDropped"/> bytes is answered with 413 and
/// <c>Connection: close</c>.
/// </summary>
internal static class RequestBody
{
    /// <summary>The largest body that is read and dropped, in bytes.</summary>
    public const int LargestDropped = 64 * 1024;

    /// <summary>Whether the request has a body, or may have one.</summary>
    public static bool MayBeIn(HttpContext http) =>
        http.Features.Get<IHttpRequestBodyDetectionFeature>() is { CanHaveBody: true };

    public static void UseRequestBodies(this WebApplication app) => app.Use((http, next) =>
        MayBeIn(http) && http.GetEndpoint()?.Metadata.GetMetadata<ReadsBody>() is null
            ? DropAsync(http, next) : next(http));

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
            // The body arrived too slowly, or its chunks are malformed.
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
        // In HTTP/2, only the stream ends, and not the connection.
        var isHttp1 = http.Request.Protocol.StartsWith("HTTP/1", StringComparison.Ordinal);
        if (isHttp1) http.Response.Headers.Connection = "close";
        var problem = status == StatusCodes.Status413PayloadTooLarge
            ? new Problem(
                ProblemType.ContentTooLarge,
                $"The body is larger than {LargestDropped} bytes, and this operation needs none.")
            : new Problem(
                ProblemType.BadRequest with { Status = status },
                "The request's body is malformed, or arrived too slowly.");
        await problem.WriteAsync(http);
    }

    /// <returns>False if the body is too large.</returns>
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

using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Http.Features;

namespace Gateway.SideBySide.Servers;

/// <summary>
/// Bare Kestrel that writes the same bytes for every request: the lower bound for servers on Kestrel.
/// </summary>
internal static class Floor
{
    public const string Allocated = "/allocated";

    public const string ETag = "\"constant\"";

    private static readonly byte[] Body = new JobDocument(Jobs.Workflow).Of(Jobs.Hit);

    public static Task RunAsync(int port, int http2Port) => BareKestrel.RunAsync(port, http2Port, http =>
    {
        var request = http.GetRequiredFeature<IHttpRequestFeature>();
        var response = http.GetRequiredFeature<IHttpResponseFeature>();
        if (request.RawTarget == Allocated)
        {
            var bytes = Encoding.ASCII.GetBytes(GC.GetTotalAllocatedBytes().ToString(CultureInfo.InvariantCulture));
            return BareKestrel.WriteAsync(http, bytes.Length, bytes, (to, from) => from.CopyTo(to));
        }
        response.Headers.ETag = ETag;
        if (request.Headers.IfNoneMatch.Count > 0)
        {
            response.StatusCode = StatusCodes.Status304NotModified;
            return Task.CompletedTask;
        }
        response.Headers.ContentType = "application/json";
        response.Headers.ContentLength = Body.Length;
        return BareKestrel.WriteAsync(http, Body.Length, Body, (to, from) => from.CopyTo(to));
    });
}

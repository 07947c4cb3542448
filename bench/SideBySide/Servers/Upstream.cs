using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Http.Features;

namespace Gateway.SideBySide.Servers;

/// <summary>
/// The upstream of all peers: <c>/v0/workflows/{workflow}/jobs/job-{number}</c>, with the credential. Jobs of <see
/// cref="Jobs.RunningWorkflow"/> run for ever; all others have finished, and any cache may store them.
/// </summary>
internal static class Upstream
{
    /// <summary>The path that returns the number of calls.</summary>
    public const string Calls = "/calls";

    public static Task RunAsync(int port, string credential)
    {
        var documents = new ConcurrentDictionary<string, JobDocument>(StringComparer.Ordinal);
        var calls = 0L;
        return BareKestrel.RunAsync(port, 0, http =>
        {
            var request = http.GetRequiredFeature<IHttpRequestFeature>();
            var response = http.GetRequiredFeature<IHttpResponseFeature>();
            if (request.RawTarget == Calls)
            {
                var bytes = Encoding.ASCII.GetBytes(Volatile.Read(ref calls).ToString(CultureInfo.InvariantCulture));
                return BareKestrel.WriteAsync(http, bytes.Length, bytes, (to, from) => from.CopyTo(to));
            }
            Interlocked.Increment(ref calls);
            if (request.Headers.Authorization != credential)
            {
                response.StatusCode = StatusCodes.Status401Unauthorized;
                return Task.CompletedTask;
            }
            if (!Jobs.TryParse(request.RawTarget, out var workflow, out var number))
            {
                response.StatusCode = StatusCodes.Status404NotFound;
                return Task.CompletedTask;
            }
            var document = documents.GetOrAdd(workflow, JobDocument.Of);
            var progress = workflow == Jobs.RunningWorkflow ? Jobs.ProgressNow() : JobDocument.Done;
            response.Headers.ContentType = "application/json";
            response.Headers.ContentLength = document.Length;
            response.Headers.ETag = $"\"{number}-{progress}\"";
            response.Headers.CacheControl = progress == JobDocument.Done ? "public, max-age=86400" : "no-store";
            return BareKestrel.WriteAsync(http, document.Length, (document, number, progress), (to, job) =>
                job.document.Write(to.Span, job.number, job.progress));
        });
    }
}

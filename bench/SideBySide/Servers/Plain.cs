using System.Collections.Concurrent;
using Microsoft.AspNetCore.Http.Features;

namespace Gateway.SideBySide.Servers;

/// <summary>
/// Bare Kestrel with default transport settings and a minimal part of the gateway's work: it knows one key, keeps the
/// jobs of two workflows in memory, and forwards other requests to the upstream.
/// </summary>
internal static class Plain
{
    private const int Piece = 64 * 1024;

    private static readonly byte[] Problem = """
        {"type":"/problems/refused","title":"The request was refused","status":400,"detail":"Unknown path or key."}
        """u8.ToArray();

    public static Task RunAsync(int port, int http2Port, Uri upstream, string credential, string key)
    {
        var client = new HttpMessageInvoker(new SocketsHttpHandler { UseProxy = false });
        var jobs = new ConcurrentDictionary<string, byte[]>(StringComparer.Ordinal);
        return BareKestrel.RunAsync(port, http2Port, async http =>
        {
            var request = http.GetRequiredFeature<IHttpRequestFeature>();
            var response = http.GetRequiredFeature<IHttpResponseFeature>();
            if (request.RawTarget == "/health/live") await WriteAsync(http, "Healthy"u8.ToArray());
            else if (!Jobs.TryParse(request.RawTarget, out var workflow, out _)) await RefuseAsync(404);
            else if (request.Headers["X-Api-Key"] != key) await RefuseAsync(401);
            else if (!jobs.TryGetValue(request.RawTarget, out var job))
            {
                job = await FetchAsync(request.RawTarget);
                if (workflow is Jobs.Workflow or Jobs.LargeWorkflow) jobs[request.RawTarget] = job;
                await AnswerAsync(job);
            }
            else await AnswerAsync(job);

            Task RefuseAsync(int status)
            {
                response.StatusCode = status;
                response.Headers.ContentType = "application/problem+json";
                return WriteAsync(http, Problem);
            }

            Task AnswerAsync(byte[] job)
            {
                response.Headers.ETag = Floor.ETag;
                if (request.Headers.IfNoneMatch == Floor.ETag)
                {
                    response.StatusCode = 304;
                    return Task.CompletedTask;
                }
                response.Headers.ContentType = "application/json";
                return WriteAsync(http, job);
            }
        });

        async Task<byte[]> FetchAsync(string path)
        {
            using var question = new HttpRequestMessage(HttpMethod.Get, new Uri(upstream, path));
            question.Headers.TryAddWithoutValidation("Authorization", credential);
            using var answer = await client.SendAsync(question, CancellationToken.None);
            return await answer.Content.ReadAsByteArrayAsync();
        }
    }

    private static async Task WriteAsync(IFeatureCollection http, byte[] body)
    {
        http.GetRequiredFeature<IHttpResponseFeature>().Headers.ContentLength = body.Length;
        var writer = http.GetRequiredFeature<IHttpResponseBodyFeature>().Writer;
        for (var at = 0; at < body.Length; at += Piece)
            await writer.WriteAsync(body.AsMemory(at, Math.Min(Piece, body.Length - at)));
    }
}

using Gateway.Tests.Infrastructure;
using Microsoft.AspNetCore.Http;

namespace Gateway.Tests.Contract;

/// <summary>
/// A gateway that republishes three operations of <see cref="LargeUpstream"/>, and an upstream that answers them.
/// </summary>
internal sealed class RepublishedWorld : IDisposable
{
    private readonly string _file = Path.GetTempFileName();

    public void Dispose() => File.Delete(_file);

    /// <param name="source">The version of OpenAPI that the upstream describes itself in.</param>
    public async Task<World> StartAsync(string source)
    {
        await File.WriteAllTextAsync(_file, LargeUpstream.Document(source).ToJsonString(), World.Cancellation);
        var world = await World.StartAsync(
            [.. LargeUpstream.Routes(_file).Where(setting => setting.Item1 != "Upstream:BaseAddress")]);
        Answer("/v0/workflows/w-1", 200,
            """{"id":"w-1","note":null,"root":{"name":"a","children":[{"name":"b","children":[{"name":"c"}]},"""
            + """{"name":"d"}]},"labels":{"area":"north"}}""");
        Answer("/v0/scenes", 200,
            """[{"kind":"Optical","id":"s-1","clouds":0.5},{"kind":"Radar","id":"s-2","band":"X"}]""");
        Answer("/v0/workflows/gone/jobs", 404, """{"error":{"code":"E7","message":"gone"}}""");
        return world;

        void Answer(string path, int status, string body) => world.Upstream.Others[path] = http =>
        {
            (http.Response.StatusCode, http.Response.ContentType) = (status, "application/json");
            return http.Response.WriteAsync(body);
        };
    }
}

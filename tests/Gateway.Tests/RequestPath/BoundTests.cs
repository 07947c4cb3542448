using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.RequestPath;

public sealed class BoundTests
{
    [Theory]
    [InlineData("/v0/workflows/w/jobs/a%2Fb")]
    [InlineData("/v0/workflows/w%2Fx/jobs/a")]
    [InlineData("/v0/workflows/w/jobs/a%20b")]
    [InlineData("/v0/workflows/w/jobs/%C3%A9")]
    [InlineData("/v0/workflows/w/jobs/a%25b")]
    [InlineData("/v0/workflows/w/jobs/a;b")]
    [InlineData("/v0/workflows/w/jobs/a%0D%0Ab")]
    [InlineData("/v0/workflows/../jobs/a")]
    [InlineData("/v0/workflows/w/jobs/..")]
    [InlineData("/v0/workflows/w/jobs/.")]
    [InlineData("/v0/workflows/w/jobs/%2e%2e")]
    [InlineData("/v0/workflows//jobs/a")]
    [InlineData("/v0/workflows/w/jobs/")]
    [InlineData("/v0/workflows/w/jobs/a%00b")]
    public async Task A_malformed_identifier_is_400_and_never_reaches_the_upstream(string target)
    {
        await using var world = await World.StartAsync();

        var answer = await RawAsync(
            world, $"GET {target} HTTP/1.1\r\nHost: x\r\nX-Api-Key: {World.MappingKey}\r\nConnection: close\r\n\r\n");

        Assert.StartsWith("HTTP/1.1 400 ", answer, StringComparison.Ordinal);
        Assert.Equal(0, world.Upstream.Ledger.Total);
    }

    [Fact]
    public async Task An_identifier_has_at_most_128_characters()
    {
        await using var world = await World.StartAsync();
        using var longest = await world.GetAsync("finished-" + new string('a', 119));
        using var longer = await world.GetAsync("finished-" + new string('a', 120));
        Assert.Equal(HttpStatusCode.OK, longest.StatusCode);
        Assert.Equal(HttpStatusCode.BadRequest, longer.StatusCode);
    }

    [Theory]
    [InlineData("POST")]
    [InlineData("PUT")]
    [InlineData("DELETE")]
    [InlineData("PATCH")]
    [InlineData("OPTIONS")]
    public async Task Other_methods_are_405_with_an_Allow_header(string method)
    {
        await using var world = await World.StartAsync();
        using var client = world.Gateway.Client(("X-Api-Key", World.MappingKey));

        using var answer = await client.SendAsync(
            new HttpRequestMessage(new HttpMethod(method), "v0/workflows/w/jobs/finished-1"), World.Cancellation);

        Assert.Equal(HttpStatusCode.MethodNotAllowed, answer.StatusCode);
        Assert.Equal(["GET", "HEAD"], answer.Content.Headers.Allow.Order());
        Assert.Equal("/problems/method-not-allowed", await ProblemTypeAsync(answer));
    }

    [Fact]
    public async Task The_sizes_of_the_request_line_and_headers_are_limited()
    {
        await using var world = await World.StartAsync();
        var url = await RawAsync(
            world, $"GET /v0/workflows/w/jobs/{new string('a', 9000)} HTTP/1.1\r\nHost: x\r\n\r\n");
        var header = await RawAsync(
            world, $"GET /v0/workflows/w/jobs/a HTTP/1.1\r\nHost: x\r\nX-Api-Key: {new string('k', 40000)}\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 414 ", url, StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 431 ", header, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_unknown_path_is_a_404_problem()
    {
        await using var world = await World.StartAsync();
        using var client = world.Gateway.Client();
        using var answer = await client.GetAsync(new Uri("v0/other", UriKind.Relative), World.Cancellation);
        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        Assert.Equal("/problems/not-found", await ProblemTypeAsync(answer));
    }

    [Fact]
    public async Task A_problem_contains_the_callers_trace_id()
    {
        await using var world = await World.StartAsync();
        using var answer = await world.GetAsync(
            "missing", headers: ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
        Assert.Equal("0af7651916cd43dd8448eb211c80319c", (await ProblemAsync(answer)).GetProperty("traceId")
            .GetString());
    }

    internal static async Task<string> ProblemTypeAsync(HttpResponseMessage answer) => (await ProblemAsync(answer))
        .GetProperty("type").GetString()!;

    internal static async Task<JsonElement> ProblemAsync(HttpResponseMessage answer)
    {
        Assert.Equal("application/problem+json", answer.Content.Headers.ContentType?.MediaType);
        Assert.True(answer.Headers.CacheControl?.NoStore);
        var problem = JsonElement.Parse(await answer.Content.ReadAsStringAsync(World.Cancellation));
        Assert.Equal((int)answer.StatusCode, problem.GetProperty("status").GetInt32());
        Assert.Matches("^[0-9a-f]{32}$", problem.GetProperty("traceId").GetString());
        return problem;
    }

    private static async Task<string> RawAsync(World world, string request)
    {
        using var socket = new TcpClient();
        await socket.ConnectAsync(world.Gateway.Address.Host, world.Gateway.Address.Port, World.Cancellation);
        await using var stream = socket.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes(request), World.Cancellation);
        var buffer = new byte[64 * 1024];
        var read = await stream.ReadAtLeastAsync(buffer, 12, throwOnEndOfStream: false, World.Cancellation);
        return Encoding.ASCII.GetString(buffer, 0, read);
    }
}

using System.Net;
using System.Text;
using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.RequestPath;

/// <summary>Requests with bodies that they do not need, and methods in other spellings.</summary>
public sealed class RequestBodyTests
{
    private const string Job = "/v0/workflows/survey-1/jobs/finished-1", Bare = "finished-1";

    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(60);

    [Theory]
    [InlineData("GET", "Content-Length: 2\r\n\r\n{}")]
    [InlineData("GET", "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n")]
    [InlineData("HEAD", "Content-Length: 2\r\n\r\n{}")]
    [InlineData("POST", "Content-Length: 2\r\n\r\n{}")]
    public async Task An_unneeded_body_leaves_the_connection_usable(string method, string body)
    {
        const int Requests = 300;
        await using var world = await World.StartAsync(Shipped.Levels);
        using var kept = await world.GetAsync(Bare);
        using var connection = await RawConnection.OpenAsync(world.Gateway.Address);

        for (var i = 0; i < Requests; i++)
        {
            await connection.SendAsync(
                $"{method} {Job} HTTP/1.1\r\nHost: x\r\nX-Api-Key: {World.MappingKey}\r\n{body}");
            var answer = await connection.ReadAsync(hasBody: method != "HEAD").WaitAsync(Bound, World.Cancellation);
            Assert.True(answer is not null, $"The connection was closed after {i} requests");
            Assert.Equal(method == "POST" ? 405 : 200, answer.Status);
            Assert.DoesNotContain("Connection", answer.Headers.Keys);
        }
    }

    [Theory]
    [InlineData("Content-Length: 10000000\r\nExpect: 100-continue\r\n\r\n")]
    [InlineData("Content-Length: 70000\r\n\r\n")]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n11170\r\n")]
    public async Task A_large_body_is_413_with_Connection_close(string headers)
    {
        await using var world = await World.StartAsync();
        using var connection = await RawConnection.OpenAsync(world.Gateway.Address);
        await connection.SendAsync($"GET {Job} HTTP/1.1\r\nHost: x\r\nX-Api-Key: {World.MappingKey}\r\n{headers}");
        // Requests with Expect: 100-continue get their answer first.
        if (!headers.Contains("Expect", StringComparison.Ordinal)) await connection.SendAsync(new string('x', 70_000));

        var answer = await connection.ReadAsync().WaitAsync(Bound, World.Cancellation);

        Assert.Equal(413, answer!.Status);
        Assert.Equal("close", answer.Headers["Connection"]);
        Assert.Contains("/problems/content-too-large", answer.Body, StringComparison.Ordinal);
        Assert.Null(await connection.ReadAsync().WaitAsync(Bound, World.Cancellation));
        Assert.Equal(0, world.Upstream.Ledger.Total);
    }

    [Fact]
    public async Task A_malformed_body_is_400_with_Connection_close()
    {
        await using var world = await World.StartAsync();
        using var connection = await RawConnection.OpenAsync(world.Gateway.Address);
        await connection.SendAsync($"GET {Job} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nno number\r\n");
        var answer = await connection.ReadAsync().WaitAsync(Bound, World.Cancellation);
        Assert.Equal(400, answer!.Status);
        Assert.Equal("close", answer.Headers["Connection"]);
    }

    [Fact]
    public async Task An_HTTP_2_body_is_dropped_and_a_large_one_ends_only_its_stream()
    {
        await using var world = await World.WithoutGatewayAsync(clock: null, Shipped.Levels);
        var environment = world.Environment();
        environment["Kestrel__EndpointDefaults__Protocols"] = "Http2";
        await using var gateway = await GatewayProcess.StartAsync(environment);
        using var client = gateway.Client();

        foreach (var length in (int[])[2, 2, 10_000_000, 2])
        {
            var status = length == 2 ? HttpStatusCode.OK : HttpStatusCode.RequestEntityTooLarge;
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(Job[1..], UriKind.Relative))
            {
                Version = HttpVersion.Version20,
                VersionPolicy = HttpVersionPolicy.RequestVersionExact,
                Content = new ByteArrayContent(Encoding.ASCII.GetBytes(new string('x', length))),
            };
            using var answer = await client.SendAsync(request, World.Cancellation).WaitAsync(Bound, World.Cancellation);
            Assert.Equal(status, answer.StatusCode);
        }
    }

    [Theory]
    [InlineData("get")]
    [InlineData("Get")]
    [InlineData("head")]
    [InlineData("FETCH")]
    public async Task A_method_in_another_case_is_not_implemented(string method)
    {
        await using var world = await World.StartAsync();
        using var kept = await world.GetAsync(Bare);
        foreach (var path in (string[])[Job, Job.ToUpperInvariant(), "/health/live", "/openapi/v0.json", "/nothing",
            "/admin/cache"])
        {
            using var connection = await RawConnection.OpenAsync(world.Gateway.Address);
            await connection.SendAsync($"{method} {path} HTTP/1.1\r\nHost: x\r\nX-Api-Key: {World.MappingKey}\r\n\r\n");
            var answer = await connection.ReadAsync().WaitAsync(Bound, World.Cancellation);
            Assert.Equal(501, answer!.Status);
            Assert.Contains("/problems/not-implemented", answer.Body, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(100, 0, 200)]
    [InlineData(101, 0, 431)]
    [InlineData(1, 31_000, 200)]
    [InlineData(1, 33_000, 431)]
    public async Task The_number_and_size_of_headers_are_limited(int count, int bytes, int status)
    {
        await using var world = await World.StartAsync();
        Assert.Equal(status, await StatusWithAsync(world, count, bytes));
    }

    [Fact]
    public async Task The_limits_of_headers_and_request_line_are_configurable()
    {
        await using var world = await World.StartAsync(
            ("Server:MaxRequestHeaderCount", "200"), ("Server:MaxRequestHeadersBytes", "100000"),
            ("Server:MaxRequestLineBytes", "2000"));
        Assert.Equal(200, await StatusWithAsync(world, 200, 90_000));
        Assert.Equal(431, await StatusWithAsync(world, 201, 0));
        Assert.Equal(431, await StatusWithAsync(world, 2, 110_000));
        Assert.Equal(414, await StatusWithAsync(world, 2, 0, query: new string('q', 2000)));
    }

    // Sends this number of fields in total, with one field that has the given size.
    private static async Task<int> StatusWithAsync(World world, int count, int bytes, string query = "")
    {
        using var connection = await RawConnection.OpenAsync(world.Gateway.Address);
        var fields = new StringBuilder($"Host: x\r\n");
        if (count > 1) fields.Append($"X-Api-Key: {World.MappingKey}\r\n");
        for (var i = bytes > 0 ? 3 : 2; i < count; i++) fields.Append($"X-{i}: y\r\n");
        if (bytes > 0 && count > 1) fields.Append($"Cookie: c={new string('c', bytes)}\r\n");
        if (count == 1)
            fields = new($"X-Api-Key: {World.MappingKey}\r\nHost: x\r\nCookie: c={new string('c', bytes)}\r\n");
        await connection.SendAsync($"GET {Job}?{query} HTTP/1.1\r\n{fields}\r\n");
        return (await connection.ReadAsync().WaitAsync(Bound, World.Cancellation))!.Status;
    }
}

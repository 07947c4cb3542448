using System.Net;
using System.Net.Sockets;
using System.Text;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.RequestPath;

namespace Gateway.Tests.Routes;

/// <summary>Tests routes with an upstream or callers that violate HTTP.</summary>
public sealed class OddUpstreamTests
{
    private static readonly (string, string?)[] Routes =
        [("Routes:workflows:Path", "/v0/workflows"), ("Routes:workflows:ResponseHeaders:0", "Link"),
            ("Teams:mapping:Routes:0", "*"), ("Teams:survey:Routes:0", "*")];

    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\n$ bad\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\n$: bad\r\n\r\n")]
    [InlineData("HTTP/1.1 2x0 $\r\n\r\n")]
    [InlineData("$\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n$\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n$\r\n")]
    public async Task A_credential_in_a_malformed_response_is_not_logged(string answer)
    {
        await using var upstream = new RawUpstream(answer.Replace("$", Canary.Secret, StringComparison.Ordinal));
        await using var world = await World.StartAsync([.. Routes, ("Upstream:BaseAddress", upstream.Address)]);

        await ReadAsync(world);

        await Wait.UntilAsync(TimeSpan.FromSeconds(10),
            () => world.Gateway.Log.All.Any(line => line.StartsWith("Warning", StringComparison.Ordinal)
                && line.Contains("A call of route workflows failed", StringComparison.Ordinal)),
            "the log has the line");
        var hexadecimal = Convert.ToHexString(Encoding.ASCII.GetBytes(Canary.Secret))[8..24];
        Assert.DoesNotContain(world.Gateway.Log.All,
            line => line.Replace("-", "", StringComparison.Ordinal)
                .Contains(hexadecimal, StringComparison.OrdinalIgnoreCase));
    }

    [Theory]
    [InlineData("HTTP/1.1 304 Not Modified\r\nETag: \"$\"\r\n\r\n", 502)]
    [InlineData("HTTP/1.1 200 OK\r\nLink: <x>\r\nETag: \"v1\"\r\nContent-Length: 10\r\n\r\n", 502)]
    [InlineData("HTTP/1.1 200 OK\r\nX-Other: $\r\nContent-Length: 2\r\n\r\n{}", 200)]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Encoding: Identity\r\nContent-Length: 2\r\n\r\n{}", 200)]
    [InlineData("HTTP/1.1 205 Reset\r\nContent-Length: 2\r\n\r\n{}", 205)]
    [InlineData("HTTP/1.1 204 None\r\nContent-Length: 2\r\n\r\n{}", 204)]
    [InlineData("HTTP/1.1 200 OK\r\nLink: \u00ab>\r\nContent-Length: 2\r\n\r\n{}", 200)]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", 502)]
    [InlineData("HTTP/1.1 103 Early\r\nLink: $\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", 200)]
    [InlineData("HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", 502)]
    [InlineData("HTTP/1.1 206 Partial\r\nContent-Length: 2\r\n\r\n{}", 206)]
    public async Task An_unusual_response_is_passed_on_or_becomes_a_problem_with_the_common_headers(
        string answer, int status)
    {
        await using var upstream = new RawUpstream(answer.Replace("$", Canary.Secret, StringComparison.Ordinal));
        await using var world = await World.StartAsync([.. Routes, ("Upstream:BaseAddress", upstream.Address)]);
        using var client = world.Gateway.Client(("X-Api-Key", World.MappingKey));

        using var told = await client.GetAsync(new Uri("v0/workflows", UriKind.Relative), World.Cancellation);

        Assert.Equal(status, (int)told.StatusCode);
        if (status >= 400) Assert.Equal("/problems/upstream-invalid", await BoundTests.ProblemTypeAsync(told));
        foreach (var header in (string[])["Content-Security-Policy", "X-Content-Type-Options", "RateLimit",
            "RateLimit-Policy", "Cache-Control", "Vary"])
        {
            Assert.True(told.Headers.Contains(header), header);
        }
        Assert.False(told.Headers.Contains("Link") || (status >= 400 && told.Headers.ETag is not null));
    }

    [Fact]
    public async Task A_response_that_ends_early_is_logged_as_CutShort()
    {
        await using var upstream = new RawUpstream("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
        await using var world = await World.StartAsync([.. Routes, ("Upstream:BaseAddress", upstream.Address)]);
        await ReadAsync(world);
        await Wait.UntilAsync(TimeSpan.FromSeconds(10),
            () => world.Gateway.Log.All.Any(
                line => line.Contains("A call of route workflows failed, and its answer was cut short: CutShort",
                StringComparison.Ordinal)), "the log has the line");
    }

    [Theory]
    [InlineData("Content-Type: text/event-stream\r\n\r\n")]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n")]
    public async Task The_headers_of_a_stream_reach_the_caller_before_its_first_byte(string headers)
    {
        await using var upstream = new RawUpstream($"HTTP/1.1 200 OK\r\n{headers}", isOpen: true);
        await using var world = await World.StartAsync([.. Routes, ("Upstream:BaseAddress", upstream.Address)]);
        using var tcp = new TcpClient(world.Gateway.Address.Host, world.Gateway.Address.Port);
        await tcp.GetStream().WriteAsync(Encoding.ASCII.GetBytes(
            $"GET /v0/workflows HTTP/1.1\r\nHost: x\r\nX-Api-Key: {World.MappingKey}\r\n\r\n"), World.Cancellation);
        using var reader = new StreamReader(tcp.GetStream());

        // The upstream sends nothing more, so only headers can come. The upstream's silence ends after 100 seconds.
        Assert.Equal("HTTP/1.1 200 OK", await ReadAsync());
        while (await ReadAsync() != "") { }

        async Task<string?> ReadAsync() => await reader.ReadLineAsync(World.Cancellation).AsTask()
            .WaitAsync(TimeSpan.FromSeconds(10), World.Cancellation);
    }

    [Theory]
    [InlineData("Accept-Language: \u00e9")]
    [InlineData("Accept: \u00e9")]
    [InlineData("If-None-Match: \"\u00e9\"")]
    public async Task Invalid_request_headers_do_not_count_as_upstream_failures(string header)
    {
        await using var world = await World.StartAsync(Routes);
        world.Upstream.Others["/v0/workflows"] = _ => Task.CompletedTask;
        for (var i = 0; i < 12; i++)
        {
            using var tcp = new TcpClient(world.Gateway.Address.Host, world.Gateway.Address.Port);
            await tcp.GetStream()
                .WriteAsync(
                Encoding.UTF8.GetBytes(
                    $"GET /v0/workflows HTTP/1.1\r\nHost: x\r\nX-Api-Key: {World.MappingKey}\r\n{header}\r\n\r\n"),
                    World.Cancellation);
            using var reader = new StreamReader(tcp.GetStream());
            Assert.Equal("HTTP/1.1 200 OK", await reader.ReadLineAsync(World.Cancellation));
        }
        using var other = await world.GetAsync("finished-1", key: World.SurveyKey);
        Assert.Equal(HttpStatusCode.OK, other.StatusCode);
    }

    private static async Task ReadAsync(World world)
    {
        using var client = world.Gateway.Client(("X-Api-Key", World.MappingKey));
        try
        {
            using var told = await client.GetAsync(new Uri("v0/workflows", UriKind.Relative), World.Cancellation);
        }
        catch (HttpRequestException)
        {
            // The response was aborted.
        }
    }

    /// <summary>
    /// Answers every request with the same bytes, then closes the connection, unless it is to stay open.
    /// </summary>
    private sealed class RawUpstream : IAsyncDisposable
    {
        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        private readonly Task _answering;

        public RawUpstream(string answer, bool isOpen = false)
        {
            _listener.Start();
            _answering = AnswerAsync(Encoding.Latin1.GetBytes(answer), isOpen);
        }

        public string Address => $"http://{_listener.LocalEndpoint}";

        public async ValueTask DisposeAsync()
        {
            _listener.Stop();
            await _answering;
        }

        private async Task AnswerAsync(byte[] answer, bool isOpen)
        {
            var buffer = new byte[16 * 1024];
            try
            {
                while (true)
                {
                    using var caller = await _listener.AcceptTcpClientAsync();
                    await using var stream = caller.GetStream();
                    if (await stream.ReadAsync(buffer) > 0) await stream.WriteAsync(answer);
                    if (!isOpen) caller.Client.Shutdown(SocketShutdown.Send);
                    while (await stream.ReadAsync(buffer) > 0) { }
                }
            }
            catch (Exception e) when (e is SocketException or InvalidOperationException or IOException)
            {
                // The listener was stopped.
            }
        }
    }
}

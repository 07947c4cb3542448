using System.Net;
using System.Net.Sockets;
using System.Text;
using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.RequestPath;

/// <summary>Failures of the connection to the upstream are reported with their cause.</summary>
public sealed class UpstreamConnectionTests
{
    [Fact]
    public async Task A_slow_TLS_handshake_is_reported_as_a_TLS_timeout()
    {
        using var silent = new Listener(_ => Task.Delay(Timeout.Infinite, World.Cancellation));
        await AssertAsync($"https://127.0.0.1:{silent.Port}", HttpStatusCode.GatewayTimeout,
            "/problems/upstream-timeout", "upstream-tls-timeout");
        // Nothing was sent, so the job is retried. The forwarded route is not.
        Assert.Equal(3 + 1, silent.Connections);
    }

    [Fact]
    public async Task An_untrusted_certificate_is_reported_as_a_TLS_failure_and_not_retried()
    {
        using var certificate = new Certificate();
        await using var upstream =
            await Simulator.SimulatedUpstream.StartAsync(https: certificate.Value, cancellation: World.Cancellation);
        await AssertAsync(upstream.Address.ToString(), HttpStatusCode.BadGateway, "/problems/upstream-failed",
            "upstream-tls-failed");
    }

    [Fact]
    public async Task An_unknown_host_name_is_reported_as_not_resolved() =>
        await AssertAsync("http://upstream.invalid", HttpStatusCode.BadGateway, "/problems/upstream-failed",
            "upstream-name-not-resolved");

    [Fact]
    public async Task Oversized_header_fields_are_reported_as_that_and_not_retried()
    {
        using var large = new Listener(stream => AnswerAsync(stream,
            $"HTTP/1.1 200 OK\r\nX-Large: {new string('x', 40_000)}\r\nContent-Length: 2\r\n\r\n{{}}"));
        await AssertAsync($"http://127.0.0.1:{large.Port}", HttpStatusCode.BadGateway, "/problems/upstream-invalid",
            "upstream-header-too-large");
        Assert.Equal(1 + 1, large.Connections);
    }

    [Theory]
    [InlineData("SSH-2.0-OpenSSH_9.6\r\n")]
    [InlineData("HTTP/1.1 two hundred\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nno field\r\n\r\n")]
    public async Task An_answer_that_is_not_HTTP_is_reported_as_a_protocol_error(string bytes)
    {
        using var other = new Listener(stream => AnswerAsync(stream, bytes));
        await AssertAsync($"http://127.0.0.1:{other.Port}", HttpStatusCode.BadGateway, "/problems/upstream-failed",
            "upstream-protocol-error");
    }

    [Fact]
    public async Task A_connection_that_closes_without_an_answer_is_reported_as_unreachable()
    {
        using var ending = new Listener(stream => AnswerAsync(stream, ""));
        await AssertAsync($"http://127.0.0.1:{ending.Port}", HttpStatusCode.BadGateway, "/problems/upstream-failed",
            "upstream-unreachable");
    }

    // Checks the answers of a job and of a forwarded route.
    private static async Task AssertAsync(string upstream, HttpStatusCode status, string type, string detail)
    {
        await using var world = await World.StartAsync(("Upstream:BaseAddress", upstream),
            ("Routes:other:Path", "/v0/other"), ("Teams:mapping:Routes:0", "other"));

        using var job = await world.GetAsync("finished-1");

        Assert.Equal($"Gateway; fwd=uri-miss; detail={detail}", JobTests.CacheStatus(job));
        Assert.Equal((status, type), (job.StatusCode, await BoundTests.ProblemTypeAsync(job)));
        using var client = world.Gateway.Client(("X-Api-Key", World.MappingKey));
        using var route = await client.GetAsync(new Uri("v0/other", UriKind.Relative), World.Cancellation);
        Assert.Equal((status, type), (route.StatusCode, await BoundTests.ProblemTypeAsync(route)));
        Assert.Contains(detail, await route.Content.ReadAsStringAsync(World.Cancellation), StringComparison.Ordinal);
    }

    private static async Task AnswerAsync(Stream stream, string bytes)
    {
        var request = new byte[4096];
        if (await stream.ReadAsync(request, World.Cancellation) == 0) return;
        await stream.WriteAsync(Encoding.ASCII.GetBytes(bytes), World.Cancellation);
    }

    /// <summary>Accepts connections, and handles each as the test specifies.</summary>
    private sealed class Listener : IDisposable
    {
        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        private int _connections;

        public Listener(Func<Stream, Task> serve)
        {
            _listener.Start();
            _ = Task.Run(async () =>
            {
                while (true)
                {
                    var client = await _listener.AcceptTcpClientAsync(World.Cancellation);
                    Interlocked.Increment(ref _connections);
                    _ = Task.Run(async () =>
                    {
                        using (client) await serve(client.GetStream());
                    });
                }
            });
        }

        public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

        public int Connections => Volatile.Read(ref _connections);

        public void Dispose() => _listener.Dispose();
    }
}

using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.Telemetry;

/// <summary>How much callers can make a gateway log, and how it behaves if nobody reads its log.</summary>
[Collection(nameof(Alone))]
public sealed class LogFloodTests
{
    private const string Job = "/v0/workflows/survey-1/jobs/finished-1";

    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(60);

    [Theory]
    [InlineData("Information", "wrong-key")]
    [InlineData("Debug", World.MappingKey)]
    public async Task A_log_that_nobody_reads_does_not_block_requests(string level, string key)
    {
        await using var world = await World.WithoutGatewayAsync(
            clock: null, [.. Shipped.Levels, ("Logging:LogLevel:Gateway", level)]);
        var (environment, port) = Managed(world);
        await using var gateway = await GatewayProcess.StartAsync(environment, readsOutput: false);

        Assert.Equal(6000, await AskAsync(gateway.Address, key, 6000).WaitAsync(Bound, World.Cancellation));

        using var client = gateway.Client();
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(client, "health/live"));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(client, Job[1..]));
        Assert.Equal(level == "Debug", await Shipped.MetricAsync(port, "gateway_log_dropped_total") > 0);
    }

    [Fact]
    public async Task Dropped_lines_are_counted_and_reported_when_the_log_is_read_again()
    {
        await using var world = await World.WithoutGatewayAsync(
            clock: null, [.. Shipped.Levels, ("Logging:LogLevel:Gateway", "Debug")]);
        var (environment, port) = Managed(world);
        await using var gateway = await GatewayProcess.StartAsync(environment, readsOutput: false);
        await AskAsync(gateway.Address, World.MappingKey, 6000).WaitAsync(Bound, World.Cancellation);
        var dropped = await Shipped.MetricAsync(port, "gateway_log_dropped_total");
        Assert.InRange(dropped, 1, 6000);

        gateway.ReadOutput();

        await gateway.UntilPrintedAsync($"{dropped} log lines were dropped");
        Assert.Equal(6000 - dropped, Lines(gateway)
            .Count(line => Message(line).StartsWith("200 for job", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Endless_refusals_are_two_lines_a_second_and_counted_exactly()
    {
        const int Requests = 5000;
        await using var world = await World.WithoutGatewayAsync(clock: null, Shipped.Levels);
        var (environment, port) = Managed(world);
        await using var gateway = await GatewayProcess.StartAsync(environment);
        var time = System.Diagnostics.Stopwatch.StartNew();

        await AskAsync(gateway.Address, key: null, Requests).WaitAsync(Bound, World.Cancellation);
        time.Stop();

        // Refusals without their own line are summed up within the next second.
        await Wait.UntilAsync(
            Bound, () => Counts(gateway).Sum() == Requests, "each refusal has a line or is counted in one");
        Assert.InRange(Counts(gateway).Count, 1, 2 * ((int)time.Elapsed.TotalSeconds + 2));
        Assert.Equal(
            Requests, await Shipped.MetricAsync(port, "gateway_requests_total", "http_response_status_code=\"401\""));
        Assert.Equal(Requests, await Shipped.MetricAsync(port, "gateway_refusals_total", "error_type=\"Missing\""));
        Assert.Contains("of 127.0.0.1 were answered 401 unauthenticated", gateway.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Streams_that_are_reset_at_once_are_not_logged_as_errors()
    {
        await using var world = await World.WithoutGatewayAsync(clock: null, Shipped.Levels);
        var environment = world.Environment();
        environment["Kestrel__EndpointDefaults__Protocols"] = "Http2";
        await using var gateway = await GatewayProcess.StartAsync(environment);
        foreach (var path in (string[])[Job, "/nothing", "/v0/workflows/survey-1/jobs/run-1000"])
        {
            foreach (var key in (string[])[World.MappingKey, "wrong-key"])
            {
                for (var i = 0; i < 5; i++) await ResetAsync(gateway.Address, path, key, streams: 500);
            }
        }

        using var client = gateway.Client();
        client.DefaultRequestVersion = HttpVersion.Version20;
        client.DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact;
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(client, Job[1..]));
        // A refusal of another kind has its own line, which comes after all others.
        Assert.Equal(HttpStatusCode.BadRequest, await StatusAsync(client, "v0/workflows/survey-1/jobs/a%20b"));
        await gateway.UntilPrintedAsync("400 for job");
        var lines = Lines(gateway);
        Assert.DoesNotContain(lines, line => line.GetProperty("LogLevel").GetString() is "Error" or "Critical");
        Assert.InRange(lines.Count, 1, 500);
    }

    private static Task<HttpStatusCode?> StatusAsync(HttpClient client, string path) =>
        GatewayProcess.StatusOf(client, path).WaitAsync(Bound, World.Cancellation);

    private static (Dictionary<string, string?> Environment, int Port) Managed(World world)
    {
        var environment = world.Environment();
        var port = ChildProcess.FreePort();
        environment["Management__Port"] = $"{port}";
        return (environment, port);
    }

    /// <summary>Requests a job repeatedly on one connection, without waiting for the answers.</summary>
    /// <returns>The number of answers.</returns>
    private static async Task<int> AskAsync(Uri address, string? key, int requests)
    {
        const int Ahead = 100;
        using var connection = await RawConnection.OpenAsync(address);
        var request = $"GET {Job} HTTP/1.1\r\nHost: x\r\n{(key is null ? "" : $"X-Api-Key: {key}\r\n")}\r\n";
        var answers = 0;
        while (answers < requests)
        {
            await connection.SendAsync(string.Concat(Enumerable.Repeat(request, Ahead)));
            for (var i = 0; i < Ahead; i++)
            {
                if (await connection.ReadAsync() is null) return answers;
                answers++;
            }
        }
        return answers;
    }

    private static List<JsonElement> Lines(GatewayProcess gateway) =>
        [.. gateway.Output.Split('\n').Where(line => line.Length > 0).Select(line => JsonElement.Parse(line))];

    private static string Message(JsonElement line) => line.GetProperty("Message").GetString() ?? "";

    // The number of refusals that each line about 401 stands for.
    private static List<int> Counts(GatewayProcess gateway) => [.. Lines(gateway)
        .Where(line => Message(line).Contains("401", StringComparison.Ordinal))
        .Select(line => line.GetProperty("State").TryGetProperty("Count", out var count) ? count.GetInt32() : 1)];

    /// <summary>
    /// Opens streams and resets each at once (CVE-2023-44487), until the server closes the connection.
    /// </summary>
    private static async Task ResetAsync(Uri address, string path, string key, int streams)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(address.Host, address.Port, World.Cancellation);
        var stream = client.GetStream();
        byte[] headers = [0x82, 0x86, .. Literal(":path", path), .. Literal(":authority", "x"),
            .. Literal("x-api-key", key)];
        try
        {
            await stream.WriteAsync(Encoding.ASCII.GetBytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), World.Cancellation);
            await stream.WriteAsync(Frame(0x4, 0, 0, []), World.Cancellation);
            for (var id = 1; id < 2 * streams; id += 2)
            {
                byte[] both = [.. Frame(0x1, 0x5, id, headers), .. Frame(0x3, 0, id, [0, 0, 0, 8])];
                await stream.WriteAsync(both, World.Cancellation);
            }
            // Read until the server closes the connection, or sends nothing more.
            var buffer = new byte[64 * 1024];
            using var quiet = CancellationTokenSource.CreateLinkedTokenSource(World.Cancellation);
            do quiet.CancelAfter(TimeSpan.FromMilliseconds(500));
            while (await stream.ReadAsync(buffer, quiet.Token) > 0);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            World.Cancellation.ThrowIfCancellationRequested();
        }
    }

    // A header field without Huffman coding and without indexing (RFC 7541, section 6.2.2).
    private static byte[] Literal(string name, string value) =>
        [0, (byte)name.Length, .. Encoding.ASCII.GetBytes(name), (byte)value.Length, .. Encoding.ASCII.GetBytes(value)];

    // RFC 9113, section 4.1.
    private static byte[] Frame(byte type, byte flags, int stream, byte[] payload) =>
    [
        (byte)(payload.Length >> 16), (byte)(payload.Length >> 8), (byte)payload.Length, type, flags,
        0, 0, (byte)(stream >> 8), (byte)stream, .. payload,
    ];
}

using System.Buffers.Binary;
using System.Net;
using System.Net.Security;
using System.Text;
using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.Runtime;

/// <summary>
/// Clients that send without pause, on at least one connection per I/O thread: other callers are still answered.
/// </summary>
[Collection(nameof(Alone))]
public sealed class HogTests
{
    private const string Job = "v0/workflows/survey-1/jobs/";

    // The bound allows for a shared machine; without fairness a caller behind a hog waits until the hog stops.
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(5);

    private static readonly int Hogs = 2 * Environment.ProcessorCount;

    private static int _misses;

    [Theory]
    [InlineData("nothing")]
    [InlineData("hits")]
    [InlineData("not modified")]
    [InlineData("wrong keys")]
    [InlineData("misses")]
    [InlineData("large bodies")]
    [InlineData("large bodies, read slowly")]
    [InlineData("empty lines")]
    public async Task A_client_that_pipelines_endlessly_does_not_block_others(string kind)
    {
        await using var world = await QuietWorldAsync();
        await using var gateway = await GatewayProcess.StartAsync(world.Environment());
        var etag = await EntityTagAsync(gateway);
        Func<byte[]> next = kind switch
        {
            "nothing" => Same(Get("nothing", "")),
            "hits" => Same(Get(Job + "finished-1", Key(World.MappingKey))),
            "not modified" => Same(Get(Job + "finished-1", Key(World.MappingKey) + $"If-None-Match: {etag}\r\n")),
            "wrong keys" => Same(Get(Job + "finished-1", Key("a-wrong-key"))),
            "misses" => () => Encoding.ASCII.GetBytes(string.Concat(Enumerable.Range(0, 20).Select(_ =>
                Get(Job + $"finished-{Interlocked.Increment(ref _misses)}x", Key(World.MappingKey))))),
            "large bodies" or "large bodies, read slowly" => Same(Get(Job + "finished-1.large", Key(World.MappingKey))),
            _ => Same("\r\n"),
        };
        var pause = kind == "large bodies, read slowly" ? TimeSpan.FromMilliseconds(5) : default;
        await AssertOthersAreAnsweredAsync(
            gateway, () => Hog.Start(gateway.Address, next, pause: pause), isAnswered: kind != "empty lines");
    }

    [Fact]
    public async Task A_client_that_connects_endlessly_does_not_block_others()
    {
        await using var world = await QuietWorldAsync();
        await using var gateway = await GatewayProcess.StartAsync(world.Environment());
        await EntityTagAsync(gateway);
        await AssertOthersAreAnsweredAsync(gateway, () => Hog.StartConnecting(gateway.Address), isAnswered: false);
    }

    [Theory]
    [InlineData("pipelined")]
    [InlineData("pings")]
    [InlineData("settings")]
    [InlineData("frames of no known type")]
    [InlineData("streams")]
    [InlineData("streams that are reset")]
    public async Task A_client_that_sends_endlessly_over_TLS_or_HTTP_2_does_not_block_others(string kind)
    {
        using var certificate = new Certificate();
        await using var world = await QuietWorldAsync();
        await using var gateway = await GatewayProcess.StartAsync(world.Environment(), certificate);
        await EntityTagAsync(gateway, certificate);
        await AssertOthersAreAnsweredAsync(gateway, () => kind switch
        {
            "pipelined" => Hog.StartTls(
                gateway.Address, certificate, SslApplicationProtocol.Http11, Same(Get("nothing", ""))),
            "pings" => OfFrames(Repeat(Frame(6, 0, 0, new byte[8]), 1000)),
            "settings" => OfFrames(Repeat(Frame(4, 0, 0, []), 1000)),
            "frames of no known type" => OfFrames(Repeat(Frame(0xbb, 0, 0, new byte[16 * 1024]), 8)),
            "streams" => OfStreams(areReset: false),
            _ => OfStreams(areReset: true),
        }, isAnswered: true, certificate);

        Hog OfFrames(byte[] frames) =>
            Hog.StartTls(gateway.Address, certificate, SslApplicationProtocol.Http2, () => frames, Preface);

        Hog OfStreams(bool areReset)
        {
            var stream = 1;
            return Hog.StartTls(gateway.Address, certificate, SslApplicationProtocol.Http2, () =>
            {
                var frames = new List<byte>();
                for (var i = 0; i < 20; i++, stream += 2)
                {
                    // Stream numbers only increase; a connection that the server closed is replaced by a new one.
                    frames.AddRange(Frame(1, 0x5, stream, Headers()));
                    if (areReset) frames.AddRange(Frame(3, 0, stream, [0, 0, 0, 8]));
                }
                return [.. frames];
            }, Preface);
        }
    }

    // "GET https://localhost/nothing", each field a literal without indexing (RFC 7541, section 6.2.2).
    private static byte[] Headers()
    {
        var block = new List<byte>();
        foreach (var (name, value) in new[] { (":method", "GET"), (":scheme", "https"), (":authority", "localhost"),
            (":path", "/nothing") })
        {
            block.Add(0);
            block.Add((byte)name.Length);
            block.AddRange(Encoding.ASCII.GetBytes(name));
            block.Add((byte)value.Length);
            block.AddRange(Encoding.ASCII.GetBytes(value));
        }
        return [.. block];
    }

    // RFC 9113, sections 3.4, 6.5 and 6.9: the preface gives the server the largest flow-control window.
    private static byte[] Preface =>
    [
        .. "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8, .. Frame(4, 0, 0, [0, 4, 0x7f, 0xff, 0xff, 0xff]),
        .. Frame(8, 0, 0, [0x7f, 0, 0, 0]),
    ];

    private static byte[] Frame(byte type, byte flags, int stream, byte[] payload)
    {
        var frame = new byte[9 + payload.Length];
        BinaryPrimitives.WriteInt32BigEndian(frame, payload.Length << 8);
        (frame[3], frame[4]) = (type, flags);
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(5), stream);
        payload.CopyTo(frame, 9);
        return frame;
    }

    private static async Task AssertOthersAreAnsweredAsync(
        GatewayProcess gateway, Func<Hog> start, bool isAnswered, Certificate? certificate = null)
    {
        // Half of the callers are connected before the hogs start, the others after.
        var callers = Enumerable.Range(0, 8).Select(_ => Caller(gateway, certificate)).ToArray();
        foreach (var caller in callers[..4]) Assert.Equal(HttpStatusCode.OK, await caller.AskAsync("health/live"));
        var hogs = Enumerable.Range(0, Hogs).Select(_ => start()).ToArray();
        try
        {
            if (isAnswered) hogs[0].WaitUntilAnswered();
            for (var round = 0; round < 5; round++)
            {
                var asked = callers.SelectMany((caller, i) =>
                    new[] { "health/live", Job + "finished-1" }.Select(path => AskAsync(caller, i, path)));
                Assert.Empty((await Task.WhenAll(asked)).OfType<string>());
            }
        }
        finally
        {
            foreach (var hog in hogs) hog.Dispose();
            foreach (var caller in callers) caller.Dispose();
        }

        static async Task<string?> AskAsync(Asking caller, int number, string path)
        {
            try
            {
                var status = await caller.AskAsync(path).WaitAsync(Bound, World.Cancellation);
                return status == HttpStatusCode.OK ? null : $"caller {number}: {(int)status} for {path}";
            }
            catch (TimeoutException)
            {
                return $"caller {number}: no answer for {path} within {Bound}";
            }
        }
    }

    private static Asking Caller(GatewayProcess gateway, Certificate? certificate) => new(gateway.Address, certificate);

    private static async Task<string> EntityTagAsync(GatewayProcess gateway, Certificate? certificate = null)
    {
        using var caller = Caller(gateway, certificate);
        Assert.Equal(HttpStatusCode.OK, await caller.AskAsync(Job + "finished-1.large"));
        Assert.Equal(HttpStatusCode.OK, await caller.AskAsync(Job + "finished-1"));
        return caller.EntityTag!;
    }

    // Refusals are not logged here.
    private static Task<World> QuietWorldAsync() => World.WithoutGatewayAsync(clock: null,
        ("Quotas:plenty:Requests", "10000000"), ("Quotas:plenty:Burst", "10000000"),
        ("Logging:LogLevel:Default", "None"), ("Logging:LogLevel:Gateway", "None"),
        ("Logging:LogLevel:Microsoft.AspNetCore", "None"), ("Logging:LogLevel:Polly", "None"));

    private static string Key(string key) => $"X-Api-Key: {key}\r\n";

    private static string Get(string path, string headers) =>
        $"GET /{path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n";

    private static Func<byte[]> Same(string request)
    {
        var many = Repeat(Encoding.ASCII.GetBytes(request), Math.Max(1, 64 * 1024 / request.Length));
        return () => many;
    }

    private static byte[] Repeat(byte[] bytes, int times) =>
        [.. Enumerable.Repeat(bytes, times).SelectMany(some => some)];

    private sealed class Asking : IDisposable
    {
        private readonly HttpClient _client;

        public Asking(Uri address, Certificate? certificate)
        {
            _client = new HttpClient(certificate?.Handler() ?? new SocketsHttpHandler()) { BaseAddress = address };
            _client.DefaultRequestHeaders.Add("X-Api-Key", World.MappingKey);
        }

        public string? EntityTag { get; private set; }

        public async Task<HttpStatusCode> AskAsync(string path)
        {
            using var answer = await _client.GetAsync(new Uri(path, UriKind.Relative), World.Cancellation);
            EntityTag = answer.Headers.ETag?.ToString();
            return answer.StatusCode;
        }

        public void Dispose() => _client.Dispose();
    }
}

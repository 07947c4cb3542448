using System.Collections.Concurrent;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Gateway.Tests.Infrastructure;

/// <summary>
/// Receives traces, metrics and logs by OTLP, under any path: Protocol Buffers by HTTP, or by gRPC. Disposing of it
/// checks that none of them contains the upstream credential or the key of a team.
/// </summary>
internal sealed class OtlpReceiver : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentQueue<(string Path, ProtobufMessage Body)> _received = new();

    private readonly ConcurrentQueue<string> _texts = new();

    private OtlpReceiver(int port, bool isGrpc)
    {
        Address = new Uri($"http://127.0.0.1:{port}");
        _app = Loopback.Server(port, protocols: isGrpc ? HttpProtocols.Http2 : HttpProtocols.Http1).Build();
        _app.Run(async http =>
        {
            using var body = new MemoryStream();
            await http.Request.Body.CopyToAsync(body);
            // A message of gRPC begins with a flag and its length.
            var message = isGrpc ? body.ToArray()[5..] : body.ToArray();
            _received.Enqueue((http.Request.Path.Value!, new ProtobufMessage(message)));
            _texts.Enqueue(Encoding.Latin1.GetString(message));
            http.Response.ContentType = isGrpc ? "application/grpc" : "application/x-protobuf";
            if (!isGrpc) return;
            // The answer is an empty message.
            await http.Response.Body.WriteAsync(new byte[5]);
            http.Response.AppendTrailer("grpc-status", "0");
        });
    }

    public Uri Address { get; }

    /// <summary>The paths that have received something.</summary>
    public IEnumerable<string> Paths => _received.Select(one => one.Path).Distinct().Order(StringComparer.Ordinal);

    /// <summary>The spans that were received.</summary>
    public IReadOnlyList<Span> Spans =>
    [
        .. Parts("/v1/traces", 1, 2, 2).Select(span => new Span(
            span.Text(5), span.Hex(1), span.Hex(2), span.Hex(4), span.Bytes(6) is [var kind, ..] ? kind : 0,
            [.. span.All(13).Select(link => link.Hex(2))], Attributes(span, 9))),
    ];

    /// <summary>The names of the metrics that were received.</summary>
    public IEnumerable<string> Metrics => Parts("/v1/metrics", 1, 2, 2).Select(metric => metric.Text(1));

    /// <summary>The text of the log records that were received.</summary>
    public IEnumerable<string> Logs => Parts("/v1/logs", 1, 2, 2, 5).Select(body => body.Text(1));

    public static async Task<OtlpReceiver> StartAsync(bool isGrpc = false)
    {
        var receiver = new OtlpReceiver(ChildProcess.FreePort(), isGrpc);
        await receiver._app.StartAsync();
        return receiver;
    }

    /// <summary>The environment variables that make a gateway send all signals here, without delay.</summary>
    public Dictionary<string, string?> Variables => new(Delays) { ["OTEL_EXPORTER_OTLP_ENDPOINT"] = $"{Address}" };

    /// <summary>The environment variables of the protocol, and of short delays.</summary>
    public static Dictionary<string, string?> Delays => new()
    {
        ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf",
        ["OTEL_BSP_SCHEDULE_DELAY"] = "100",
        ["OTEL_BLRP_SCHEDULE_DELAY"] = "100",
        ["OTEL_METRIC_EXPORT_INTERVAL"] = "300",
    };

    /// <summary>The attributes of the resource of each request to a path.</summary>
    public IEnumerable<Dictionary<string, string>> Resources(string path) =>
        Parts(path, 1, 1).Select(resource => Attributes(resource, 1));

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        foreach (var text in _texts)
        {
            Canary.AssertAbsent("telemetry that a gateway sent", text);
            Assert.DoesNotContain(World.MappingKey, text, StringComparison.Ordinal);
        }
    }

    private IEnumerable<ProtobufMessage> Parts(string path, params int[] fields) =>
        _received.Where(one => one.Path == path).SelectMany(one => one.Body.All(fields));

    // Numbers are left out.
    private static Dictionary<string, string> Attributes(ProtobufMessage message, int field) => message.All(field)
        .GroupBy(attribute => attribute.Text(1)).ToDictionary(one => one.Key, one => one.Last().All(2).Last().Text(1));

    /// <param name="Kind">2 for a request that was received, 3 for one that was sent.</param>
    /// <param name="Links">The ids of the spans that it links to.</param>
    internal sealed record Span(
        string Name, string Trace, string Id, string Parent, int Kind, string[] Links,
        Dictionary<string, string> Attributes);
}

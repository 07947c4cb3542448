using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Gateway.Soak;

/// <summary>Clients that send as much as they can, one kind after the other, for some seconds each.</summary>
internal static class Hogs
{
    private const string Nothing = "GET /nothing HTTP/1.1\r\nHost: gateway\r\n\r\n";

    private static readonly TimeSpan Length = TimeSpan.FromSeconds(5), Pause = TimeSpan.FromSeconds(15);

    public static async Task RunAsync(Cluster cluster, Tally tally, CancellationToken stop)
    {
        (string Name, Func<Node, CancellationToken, Task> Run)[] kinds =
        [
            ("pipelined paths that do not exist", (node, end) => PipelineAsync(node, Nothing, end)),
            ("pipelined hits", (node, end) => PipelineAsync(node, Request("finished-1", Cluster.Key), end)),
            ("pipelined wrong keys", (node, end) => PipelineAsync(node, Request("finished-1", "wrong-key"), end)),
            ("large bodies read slowly", ReadSlowlyAsync),
            ("HTTP/2 streams that are reset", ResetAsync),
        ];
        try
        {
            for (var round = 0; ; round++)
            {
                var (name, run) = kinds[round % kinds.Length];
                var node = cluster.Nodes[round % cluster.Nodes.Count];
                tally.Note($"hog on node {node.Number}: {name}");
                using var end = CancellationTokenSource.CreateLinkedTokenSource(stop);
                end.CancelAfter(Length);
                await Task.WhenAll(GuardAsync(run(node, end.Token)), GuardAsync(run(node, end.Token)));
                tally.Answered("hog", 0);
                await Task.Delay(Pause, stop);
            }
        }
        catch (OperationCanceledException)
        {
            // The run is over.
        }
    }

    private static string Request(string job, string key) =>
        $"GET /v0/workflows/soak/jobs/{job} HTTP/1.1\r\nHost: gateway\r\nX-Api-Key: {key}\r\n\r\n";

    // The server may close the connection of a hog.
    private static async Task GuardAsync(Task hog)
    {
        try
        {
            await hog;
        }
        catch (Exception e) when (e is SocketException or IOException or HttpRequestException
            or OperationCanceledException)
        {
            // This hog has ended.
        }
    }

    private static async Task PipelineAsync(Node node, string request, CancellationToken end)
    {
        using var socket = await ConnectAsync(node, end);
        var many = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat(request, 200)));
        var answers = new byte[256 * 1024];
        await Task.WhenAll(SendAsync(), ReceiveAsync());

        async Task SendAsync()
        {
            while (!end.IsCancellationRequested) await socket.SendAsync(many, end);
        }

        async Task ReceiveAsync()
        {
            while (await socket.ReceiveAsync(answers, end) > 0)
            {
            }
        }
    }

    private static async Task ReadSlowlyAsync(Node node, CancellationToken end)
    {
        await Task.WhenAll(Enumerable.Range(0, 10).Select(async _ =>
        {
            using var socket = await ConnectAsync(node, end);
            await socket.SendAsync(Encoding.ASCII.GetBytes(Request("finished-1.large", Cluster.Key)), end);
            var some = new byte[16 * 1024];
            while (await socket.ReceiveAsync(some, end) > 0) await Task.Delay(50, end);
        }));
    }

    private static async Task ResetAsync(Node node, CancellationToken end)
    {
        using var client = Callers.Client(node.Http2Address);
        client.DefaultRequestVersion = HttpVersion.Version20;
        client.DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact;
        while (!end.IsCancellationRequested)
        {
            using var reset = CancellationTokenSource.CreateLinkedTokenSource(end);
            var streams = Enumerable.Range(0, 100)
                .Select(_ => GuardAsync(client.GetAsync(Callers.Job("finished-1.large"), reset.Token))).ToArray();
            await reset.CancelAsync();
            await Task.WhenAll(streams);
        }
    }

    private static async Task<Socket> ConnectAsync(Node node, CancellationToken end)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPAddress.Loopback, node.Address.Port, end);
        return socket;
    }
}

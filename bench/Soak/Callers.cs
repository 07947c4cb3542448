using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text.Json;

namespace Gateway.Soak;

/// <summary>Ordinary callers of one node, each a loop at its own rate.</summary>
internal static class Callers
{
    private const int FinishedJobs = 200, Watchers = 5;

    private static readonly TimeSpan RunTime = TimeSpan.FromSeconds(20), LongestDelay = TimeSpan.FromSeconds(8);

    public static IEnumerable<Task> Of(Node node, Tally tally, CancellationToken stop)
    {
        yield return HitsAsync(node, tally, stop);
        yield return ConditionalAsync(node, tally, stop);
        yield return MissesAsync(node, tally, stop);
        yield return WrongKeysAsync(node, tally, stop);
        yield return OverQuotaAsync(node, tally, stop);
        yield return AbortsAsync(node, tally, stop);
        for (var i = 0; i < Watchers; i++) yield return WatchAsync(node, tally, stop);
    }

    /// <summary>Creates a client of one node, with the key of the team that has an ample quota.</summary>
    /// <param name="key">Another key, or null for none.</param>
    /// <param name="from">The local address of the connections, or null for any.</param>
    public static HttpClient Client(Uri node, string? key = Cluster.Key, string? from = null)
    {
        var handler = new SocketsHttpHandler();
        if (from is not null)
        {
            handler.ConnectCallback = async (context, cancellation) =>
            {
                var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                socket.Bind(new IPEndPoint(IPAddress.Parse(from).MapToIPv6(), 0));
                await socket.ConnectAsync(context.DnsEndPoint, cancellation);
                return new NetworkStream(socket, ownsSocket: true);
            };
        }
        var client = new HttpClient(handler) { BaseAddress = node, Timeout = TimeSpan.FromSeconds(20) };
        if (key is not null) client.DefaultRequestHeaders.Add("X-Api-Key", key);
        return client;
    }

    public static Uri Job(string job) => new($"v0/workflows/soak/jobs/{job}", UriKind.Relative);

    private static async Task HitsAsync(Node node, Tally tally, CancellationToken stop)
    {
        using var client = Client(node.Address);
        await EveryAsync(TimeSpan.FromMilliseconds(10), async () =>
        {
            var started = Stopwatch.GetTimestamp();
            var status = await GetAsync(client, Job($"finished-{Random.Shared.Next(FinishedJobs)}"), stop);
            tally.Hit(status, Stopwatch.GetElapsedTime(started));
            NoteFailure(tally, node, "hit", status);
        }, stop);
    }

    private static async Task ConditionalAsync(Node node, Tally tally, CancellationToken stop)
    {
        using var client = Client(node.Address);
        EntityTagHeaderValue? known = null;
        await EveryAsync(TimeSpan.FromMilliseconds(20), async () =>
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, Job("finished-conditional"));
            if (known is not null) request.Headers.IfNoneMatch.Add(known);
            var (status, answer) = await SendAsync(client, request, stop);
            using (answer) known = answer?.Headers.ETag ?? known;
            tally.Answered("conditional", status);
            NoteFailure(tally, node, "conditional", status);
        }, stop);
    }

    private static async Task MissesAsync(Node node, Tally tally, CancellationToken stop)
    {
        using var client = Client(node.Address);
        await EveryAsync(TimeSpan.FromMilliseconds(50), async () =>
        {
            var status = await GetAsync(client, Job($"finished-{Guid.NewGuid():N}"), stop);
            tally.Answered("miss", status);
            NoteFailure(tally, node, "miss", status);
        }, stop);
    }

    // Uses its own address, so that its failed attempts do not limit other callers.
    private static async Task WrongKeysAsync(Node node, Tally tally, CancellationToken stop)
    {
        using var client = Client(node.Address, key: null, from: "127.0.0.2");
        await EveryAsync(TimeSpan.FromMilliseconds(20), async () =>
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, Job("finished-1"));
            request.Headers.Add("X-Api-Key", $"wrong-{Guid.NewGuid():N}");
            var (status, answer) = await SendAsync(client, request, stop);
            answer?.Dispose();
            tally.Answered("wrong key", status);
            NoteFailure(tally, node, "wrong key", status);
        }, stop);
    }

    private static async Task OverQuotaAsync(Node node, Tally tally, CancellationToken stop)
    {
        using var client = Client(node.Address, Cluster.LimitedKey);
        await EveryAsync(TimeSpan.FromMilliseconds(100), async () =>
        {
            var status = await GetAsync(client, Job("finished-1"), stop);
            tally.Answered("over quota", status);
            NoteFailure(tally, node, "over quota", status);
        }, stop);
    }

    private static async Task AbortsAsync(Node node, Tally tally, CancellationToken stop)
    {
        using var client = Client(node.Address);
        await EveryAsync(TimeSpan.FromMilliseconds(100), async () =>
        {
            using var leaving = CancellationTokenSource.CreateLinkedTokenSource(stop);
            leaving.CancelAfter(TimeSpan.FromMilliseconds(Random.Shared.Next(0, 10)));
            tally.Answered("abort", await GetAsync(client, Job($"finished-{Guid.NewGuid():N}.size-64"), leaving.Token));
        }, stop);
    }

    // Polls one running job after the other to its end, and a little longer.
    private static async Task WatchAsync(Node node, Tally tally, CancellationToken stop)
    {
        using var client = Client(node.Address);
        while (!stop.IsCancellationRequested)
        {
            var job = $"run-{RunTime.TotalSeconds:0}-{Guid.NewGuid():N}";
            var started = Stopwatch.GetTimestamp();
            var (hasEnded, looksAfterEnd) = (false, 0);
            await EveryAsync(TimeSpan.FromSeconds(1), async () =>
            {
                using var request = new HttpRequestMessage(HttpMethod.Get, Job(job));
                var (status, answer) = await SendAsync(client, request, stop);
                tally.Answered("watch", status);
                NoteFailure(tally, node, "watch", status);
                if (answer is null || status != 200) return;
                using (answer)
                {
                    using var body = JsonDocument.Parse(await answer.Content.ReadAsStreamAsync(stop));
                    var isOver = body.RootElement.GetProperty("status").GetString() == "completed";
                    if (hasEnded && !isOver) tally.JobWentBack(job);
                    var late = Stopwatch.GetElapsedTime(started) - RunTime;
                    if (isOver && !hasEnded && late > LongestDelay) tally.JobSeenLate(job, late);
                    hasEnded |= isOver;
                }
            }, stop, () => hasEnded && ++looksAfterEnd > 10);
        }
    }

    private static async Task EveryAsync(
        TimeSpan pace, Func<Task> act, CancellationToken stop, Func<bool>? isDone = null)
    {
        try
        {
            while (!stop.IsCancellationRequested && isDone?.Invoke() != true)
            {
                await act();
                await Task.Delay(pace, stop);
            }
        }
        catch (OperationCanceledException)
        {
            // The run is over.
        }
    }

    private static async Task<int> GetAsync(HttpClient client, Uri path, CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        var (status, answer) = await SendAsync(client, request, cancellation);
        answer?.Dispose();
        return status;
    }

    /// <returns>The status, or 0 without a complete answer.</returns>
    private static async Task<(int Status, HttpResponseMessage? Answer)> SendAsync(
        HttpClient client, HttpRequestMessage request, CancellationToken cancellation)
    {
        try
        {
            var answer = await client.SendAsync(request, cancellation);
            return ((int)answer.StatusCode, answer);
        }
        catch (Exception e) when (e is HttpRequestException or IOException or OperationCanceledException)
        {
            return (0, null);
        }
    }

    private static void NoteFailure(Tally tally, Node node, string kind, int status)
    {
        if (status is 0 or >= 500) tally.Note($"node {node.Number}: {kind} got {status}");
    }
}

using System.Diagnostics;
using System.Net;
using System.Net.ServerSentEvents;
using System.Text.Json;

namespace Gateway.Tests.Infrastructure;

/// <summary>
/// A client that behaves like a browser's EventSource (HTML standard, section 9.2): it connects again after the time
/// that the server has told, with the id of the last event, and stops when the answer is not an event stream.
/// </summary>
/// <param name="nodes">The gateways. A new connection goes to the next one, as behind a load balancer.</param>
internal sealed class EventSourceClient(HttpClient client, Uri[] nodes, int first, string path)
{
    private TimeSpan _retry = TimeSpan.FromSeconds(1);
    private string? _lastId;

    /// <summary>The states in the order in which they came.</summary>
    public List<State> States { get; } = [];

    /// <summary>The types of all other events.</summary>
    public List<string> Others { get; } = [];

    public int Connections { get; private set; }

    /// <summary>Whether the first connection has been answered.</summary>
    public bool IsOpen { get; private set; }

    /// <summary>Runs until the server says that the stream is over.</summary>
    public async Task RunAsync()
    {
        for (var node = first; ; node++)
        {
            try
            {
                if (await ReadAsync(nodes[node % nodes.Length])) return;
            }
            catch (Exception e) when (e is HttpRequestException or IOException)
            {
                // The node is down, or the connection was cut.
            }
            await Task.Delay(_retry, World.Cancellation);
        }
    }

    /// <returns>Whether the stream is over.</returns>
    private async Task<bool> ReadAsync(Uri node)
    {
        Connections++;
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(node, path));
        if (_lastId is not null) request.Headers.TryAddWithoutValidation("Last-Event-ID", _lastId);
        using var answer = await client.SendAsync(
            request, HttpCompletionOption.ResponseHeadersRead, World.Cancellation);
        IsOpen = true;
        if (answer.StatusCode == HttpStatusCode.NoContent) return true;
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        await using var body = await answer.Content.ReadAsStreamAsync(World.Cancellation);
        var parser = SseParser.Create(body);
        await foreach (var item in parser.EnumerateAsync(World.Cancellation))
        {
            if (parser.ReconnectionInterval > TimeSpan.Zero) _retry = parser.ReconnectionInterval;
            if (item.EventId is not null) _lastId = item.EventId;
            if (item.EventType == "job") States.Add(State.Of(item));
            else Others.Add(item.EventType);
        }
        if (parser.ReconnectionInterval > TimeSpan.Zero) _retry = parser.ReconnectionInterval;
        return false;
    }

    /// <param name="At">When it came, as a timestamp of <see cref="Stopwatch"/>.</param>
    /// <param name="Progress">The job's progress in percent.</param>
    internal sealed record State(long At, string Id, string Status, double Progress)
    {
        public static State Of(SseItem<string> item)
        {
            var job = JsonElement.Parse(item.Data);
            return new State(Stopwatch.GetTimestamp(), item.EventId!, job.GetProperty("status").GetString()!,
                double.Parse(job.GetProperty("progress").GetString()!, null));
        }
    }
}

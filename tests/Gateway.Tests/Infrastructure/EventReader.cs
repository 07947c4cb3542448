using System.Net;
using System.Net.ServerSentEvents;
using System.Threading.Channels;

namespace Gateway.Tests.Infrastructure;

/// <summary>A client of one event stream. It reads in the background, with the framework's own parser.</summary>
internal sealed class EventReader : IAsyncDisposable
{
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(20);

    private readonly HttpClient _client;
    private readonly CancellationTokenSource _leaving = new();
    private readonly Channel<SseItem<string>> _events = Channel.CreateUnbounded<SseItem<string>>();
    private readonly Task _reading;

    private EventReader(HttpClient client, HttpResponseMessage answer)
    {
        (_client, Answer) = (client, answer);
        _reading = ReadAsync();
    }

    public HttpResponseMessage Answer { get; }

    public HttpStatusCode Status => Answer.StatusCode;

    /// <summary>The time that the server last told the client to wait before a reconnect.</summary>
    public TimeSpan Retry { get; private set; }

    /// <summary>Opens a stream. The answer may also have another status than 200.</summary>
    public static async Task<EventReader> OpenAsync(
        Uri gateway, string path, params (string Name, string Value)[] headers)
    {
        var client = new HttpClient { BaseAddress = gateway };
        foreach (var (name, value) in headers) client.DefaultRequestHeaders.TryAddWithoutValidation(name, value);
        return await OpenAsync(client, path);
    }

    /// <summary>Opens a stream with a client, which the reader disposes of.</summary>
    public static async Task<EventReader> OpenAsync(HttpClient client, string path)
    {
        var answer = await client.GetAsync(
            new Uri(path, UriKind.Relative), HttpCompletionOption.ResponseHeadersRead, World.Cancellation);
        return new EventReader(client, answer);
    }

    /// <summary>Opens a stream as team mapping.</summary>
    public static Task<EventReader> OpenAsync(GatewayNode node, string path, string? lastId = null) =>
        OpenAsync(node.Address, path, lastId is null
            ? [("X-Api-Key", World.MappingKey)] : [("X-Api-Key", World.MappingKey), ("Last-Event-ID", lastId)]);

    public static string PathOf(string job, string workflow = "survey-1") =>
        $"v0/workflows/{workflow}/jobs/{job}/events";

    /// <summary>Returns the next event, which must come within seconds.</summary>
    public async Task<SseItem<string>> NextAsync(string? type = null)
    {
        var next = await _events.Reader.ReadAsync(World.Cancellation).AsTask().WaitAsync(Longest, World.Cancellation);
        if (type is not null) Assert.True(next.EventType == type, $"{next.EventType}: {next.Data}");
        return next;
    }

    /// <summary>Asserts that no event comes for a time.</summary>
    public async Task AssertSilentAsync(TimeSpan time)
    {
        await Task.Delay(time, World.Cancellation);
        Assert.False(_events.Reader.TryPeek(out var item), item.Data);
    }

    /// <summary>Returns all further events, until the server closes the stream.</summary>
    public async Task<List<SseItem<string>>> RestAsync()
    {
        await _reading.WaitAsync(Longest, World.Cancellation);
        var rest = new List<SseItem<string>>();
        while (_events.Reader.TryRead(out var item)) rest.Add(item);
        return rest;
    }

    public async ValueTask DisposeAsync()
    {
        await _leaving.CancelAsync();
        Answer.Dispose();
        _client.Dispose();
        _leaving.Dispose();
    }

    private async Task ReadAsync()
    {
        try
        {
            if (Status != HttpStatusCode.OK) return;
            await using var body = await Answer.Content.ReadAsStreamAsync(_leaving.Token);
            var parser = SseParser.Create(body);
            await foreach (var item in parser.EnumerateAsync(_leaving.Token))
            {
                Canary.AssertAbsent("an event", item.Data);
                Retry = parser.ReconnectionInterval;
                _events.Writer.TryWrite(item);
            }
            Retry = parser.ReconnectionInterval;
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or HttpRequestException)
        {
            // The client left, or the connection was cut.
        }
        finally
        {
            _events.Writer.TryComplete();
        }
    }
}

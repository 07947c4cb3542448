using System.IO.Compression;
using System.Net;
using Gateway.SideBySide.Peers;

namespace Gateway.SideBySide.Measuring;

/// <summary>A peer gave a wrong answer, so none of its figures counts.</summary>
internal sealed class WrongAnswerException(string message) : Exception(message);

/// <summary>
/// Checks on a separate connection that a peer's answers are correct: the exact bytes of the job after decoding, and
/// the same entity tag each time.
/// </summary>
internal sealed class Probe(Peer peer, string path, Func<byte[], bool> isRight, Dictionary<string, string> headers,
    int status = 200) : IDisposable
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(250);

    private readonly HttpClient _client = new(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false })
    {
        Timeout = TimeSpan.FromSeconds(10),
    };
    private string? _etag;

    /// <summary>
    /// True if the entity tag must be the same in each answer, which does not hold for jobs that change.
    /// </summary>
    public bool KeepsETag { get; init; } = true;

    /// <summary>True to check over HTTP/2.</summary>
    public bool IsHttp2 { get; init; }

    public static Probe OfJob(
        Peer peer, string workflow, long number, Dictionary<string, string>? headers = null, bool http2 = false)
    {
        var expected = new JobDocument(workflow).Of(number);
        return new Probe(peer, Jobs.PathOf(workflow, number), body => body.AsSpan().SequenceEqual(expected), headers
            ?? [])
        { IsHttp2 = http2 };
    }

    /// <returns>The entity tag.</returns>
    /// <exception cref="WrongAnswerException">The answer is wrong.</exception>
    public async Task<string> LookAsync(CancellationToken stop)
    {
        using var response = await SendAsync(peer.Key, stop);
        if ((int)response.StatusCode != status) throw Wrong($"{(int)response.StatusCode} instead of {status}");
        var etag = response.Headers.ETag?.ToString() ?? throw Wrong("no ETag");
        if (KeepsETag && (_etag ??= etag) != etag) throw Wrong($"ETag {etag} after {_etag}");
        var body = await response.Content.ReadAsByteArrayAsync(stop);
        if (status == 304)
        {
            if (body.Length > 0) throw Wrong("304 with a body");
            return etag;
        }
        var coding = response.Content.Headers.ContentEncoding.SingleOrDefault();
        if (coding != headers.GetValueOrDefault("Accept-Encoding")) throw Wrong($"the coding {coding ?? "identity"}");
        if (!isRight(coding == "br" ? Decoded(body) : body))
            throw Wrong($"a body of {body.Length} bytes that is not the job's");
        return etag;
    }

    /// <summary>Checks that an unknown key is refused.</summary>
    public async Task LookAtRefusalAsync(CancellationToken stop)
    {
        if (!peer.ChecksKeys) return;
        using var response = await SendAsync("gwk_nobody", stop);
        if (response.StatusCode != HttpStatusCode.Unauthorized)
            throw Wrong($"{(int)response.StatusCode} for a wrong key");
    }

    /// <summary>Checks repeatedly while a task runs.</summary>
    public async Task<T> WhileAsync<T>(Task<T> running, CancellationToken stop)
    {
        while (await Task.WhenAny(running, Task.Delay(Pause, stop)) != running) await LookAsync(stop);
        return await running;
    }

    public void Dispose() => _client.Dispose();

    private static byte[] Decoded(byte[] body)
    {
        using var brotli = new BrotliStream(new MemoryStream(body), CompressionMode.Decompress);
        var decoded = new MemoryStream();
        brotli.CopyTo(decoded);
        return decoded.ToArray();
    }

    private async Task<HttpResponseMessage> SendAsync(string key, CancellationToken stop)
    {
        using var request = new HttpRequestMessage(
            HttpMethod.Get, new Uri(IsHttp2 ? peer.Http2Address! : peer.Address, path))
        {
            Version = IsHttp2 ? HttpVersion.Version20 : HttpVersion.Version11,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        request.Headers.Add("X-Api-Key", key);
        foreach (var (name, value) in headers) request.Headers.TryAddWithoutValidation(name, value);
        try
        {
            return await _client.SendAsync(request, stop);
        }
        catch (Exception e) when (
            e is HttpRequestException || (e is OperationCanceledException && !stop.IsCancellationRequested))
        {
            throw new InvalidOperationException($"{peer.Name} does not answer: {e.Message} {peer.Process.Output}");
        }
    }

    private WrongAnswerException Wrong(string what) => new($"{peer.Name} answers {path} with {what}.");
}

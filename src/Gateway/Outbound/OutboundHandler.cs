namespace Gateway.Outbound;

/// <summary>
/// Sends HTTP requests with the certificates in force. When those change, later requests use new connections, and
/// requests under way keep theirs.
/// </summary>
/// <param name="certificates">The certificates of the server.</param>
/// <param name="complete">Completes the settings of a new handler.</param>
internal sealed class OutboundHandler(Certificates certificates, Action<SocketsHttpHandler> complete)
    : HttpMessageHandler
{
    private readonly Lock _lock = new();
    private Sender? _sender;

    protected override async Task<HttpResponseMessage> SendAsync(
        HttpRequestMessage request, CancellationToken cancellationToken) =>
        await SenderFor(await certificates.CurrentAsync()).SendAsync(request, cancellationToken);

    protected override void Dispose(bool disposing)
    {
        if (disposing) _sender?.Client.Dispose();
        base.Dispose(disposing);
    }

    private HttpMessageInvoker SenderFor(Tls tls)
    {
        if (Volatile.Read(ref _sender) is { } current && current.Tls == tls) return current.Client;
        lock (_lock)
        {
            // The previous sender is not disposed of, because that would cut off requests. Its connections end when
            // they have been idle for a minute.
            if (_sender?.Tls != tls) _sender = new Sender(tls, new HttpMessageInvoker(Create(tls)));
            return _sender.Client;
        }
    }

    private SocketsHttpHandler Create(Tls tls)
    {
        var handler = new SocketsHttpHandler
        {
            // A redirect must not carry a credential to another host.
            AllowAutoRedirect = false,
            UseCookies = false,
            UseProxy = false,
            EnableMultipleHttp2Connections = true,
            SslOptions = tls.Options(),
            // A changed address is found again.
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),
        };
        complete(handler);
        return handler;
    }

    private sealed record Sender(Tls Tls, HttpMessageInvoker Client);
}

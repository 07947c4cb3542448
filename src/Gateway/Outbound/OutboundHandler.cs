using System.Net;

namespace Gateway.Outbound;

/// <summary>
/// Sends HTTP requests with the certificates in force, and by way of the egress proxy, if there is one. When the
/// certificates change, later requests use new connections, and requests under way keep theirs.
/// </summary>
/// <param name="certificates">The certificates of the server.</param>
/// <param name="complete">Completes the settings of a new handler.</param>
internal sealed class OutboundHandler(Certificates certificates, Action<SocketsHttpHandler> complete)
    : HttpMessageHandler
{
    private const string NeedsLogin = ", so its address may lack a user and a password that it accepts";

    private readonly Lock _lock = new();
    private Sender? _sender;

    protected override async Task<HttpResponseMessage> SendAsync(
        HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var sender = SenderFor(await certificates.CurrentAsync());
        return EgressProxy.OfEnvironment.GetProxy(request.RequestUri!) is { } proxy
            ? await SendAsync(sender, request, proxy, cancellationToken)
            : await sender.SendAsync(request, cancellationToken);
    }

    /// <exception cref="EgressProxyException">The proxy cannot be used.</exception>
    private static async Task<HttpResponseMessage> SendAsync(
        HttpMessageInvoker sender, HttpRequestMessage request, Uri proxy, CancellationToken cancellation)
    {
        try
        {
            var response = await sender.SendAsync(request, cancellation);
            // Within a tunnel, only the server answers.
            var isOfProxy = request.RequestUri!.Scheme == Uri.UriSchemeHttp
                && response.StatusCode == HttpStatusCode.ProxyAuthenticationRequired;
            if (!isOfProxy) return response;
            response.Dispose();
            throw new EgressProxyException(proxy, $"answered 407{NeedsLogin}", null);
        }
        catch (HttpRequestException e) when (e is { HttpRequestError: HttpRequestError.ProxyTunnelError }
            and not EgressProxyException)
        {
            // Some proxies answer 401 or 403 to a wrong password.
            var isRefused = e.StatusCode is HttpStatusCode.ProxyAuthenticationRequired or HttpStatusCode.Unauthorized
                or HttpStatusCode.Forbidden;
            throw new EgressProxyException(proxy, $"does not connect to {request.RequestUri!.Authority}: it answered "
                + $"{(int?)e.StatusCode}{(isRefused ? NeedsLogin : "")}", e);
        }
        catch (HttpRequestException e)
            when (e.HttpRequestError is HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError)
        {
            throw new EgressProxyException(proxy, $"cannot be reached ({e.GetBaseException().Message})", e);
        }
        catch (OperationCanceledException e) when (!cancellation.IsCancellationRequested)
        {
            // The handler cancels a slow connection itself.
            throw new EgressProxyException(proxy, "did not connect in time", e);
        }
    }

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
            Proxy = EgressProxy.OfEnvironment,
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

using System.Diagnostics;
using System.Net.Sockets;
using Gateway.Outbound;
using Microsoft.Extensions.Options;

namespace Gateway.Upstream;

/// <summary>
/// Creates clients for the upstream (pooled connections, no redirects, no cookies, no decompression) with a counter
/// around them.
/// </summary>
internal sealed partial class OutboundChain(
    UpstreamMetrics metrics, IOptionsMonitor<UpstreamOptions> options, ILogger<OutboundChain> logger)
{
    private static readonly HttpRequestOptionsKey<ConnectionNote> Note = new("Gateway.Connection");

    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(2), Silence = TimeSpan.FromSeconds(2);

    private readonly Certificates _certificates = new(() => options.CurrentValue.TlsFiles(), logger);

    public HttpMessageInvoker CreateClient() => new(
        new AttemptCounter(metrics, _certificates, logger)
        {
            InnerHandler = new OutboundHandler(_certificates, Complete),
        });

    /// <summary>Says why a call over a new connection failed.</summary>
    public string Explain(Exception failure)
    {
        var hasEnded = HasEnded(failure, options.CurrentValue.BaseAddress);
        return EgressProxyException.In(failure)?.Message ?? _certificates.Explain(failure, hasEnded)
            ?? failure.GetBaseException().Message;
    }

    // Whether a server closed a new TLS connection before it answered.
    private static bool HasEnded(Exception failure, Uri? address) => address?.Scheme == Uri.UriSchemeHttps
        && failure is HttpRequestException
        {
            HttpRequestError: HttpRequestError.Unknown or HttpRequestError.ResponseEnded
                or HttpRequestError.InvalidResponse,
        };

    private static void Complete(SocketsHttpHandler handler)
    {
        // This covers the name look-up, the connection and the TLS handshake.
        handler.ConnectTimeout = ConnectTimeout;
        handler.ConnectCallback = ConnectAsync;
        handler.MaxResponseHeadersLength = 32;
        handler.ActivityHeadersPropagator = new TraceAlone();
        // A silent HTTP/2 connection is closed, not only the calls on it.
        handler.KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests;
        handler.KeepAlivePingDelay = Silence;
        handler.KeepAlivePingTimeout = Silence;
    }

    private static async ValueTask<Stream> ConnectAsync(
        SocketsHttpConnectionContext context, CancellationToken cancellation)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(context.DnsEndPoint, cancellation);
            if (context.InitialRequestMessage.Options.TryGetValue(Note, out var note)) note.IsConnected = true;
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Sends the trace of a call to the upstream, without baggage, which callers may have set.
    /// </summary>
    private sealed class TraceAlone : DistributedContextPropagator
    {
        private static readonly DistributedContextPropagator All = CreateDefaultPropagator();

        public override IReadOnlyCollection<string> Fields { get; } = ["traceparent", "tracestate"];

        public override void Inject(Activity? activity, object? carrier, PropagatorSetterCallback? setter) =>
            All.Inject(activity, carrier, (to, name, value) =>
            {
                if (Fields.Contains(name)) setter?.Invoke(to, name, value);
            });

        public override void ExtractTraceIdAndState(
            object? carrier, PropagatorGetterCallback? getter, out string? traceId, out string? traceState) =>
            All.ExtractTraceIdAndState(carrier, getter, out traceId, out traceState);

        public override IEnumerable<KeyValuePair<string, string?>>? ExtractBaggage(
            object? carrier, PropagatorGetterCallback? getter) => [];
    }

    /// <summary>The progress of the connection that another thread makes for a request.</summary>
    private sealed class ConnectionNote
    {
        private volatile bool _isConnected;

        /// <summary>Whether the upstream accepted it. A TLS handshake may still follow.</summary>
        public bool IsConnected
        {
            get => _isConnected;
            set => _isConnected = value;
        }
    }

    private sealed class AttemptCounter(UpstreamMetrics metrics, Certificates certificates, ILogger logger)
        : DelegatingHandler
    {
        protected override async Task<HttpResponseMessage> SendAsync(
            HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var account = request.Options.TryGetValue(OutboundHeaders.Account, out var name) ? name : "";
            var note = new ConnectionNote();
            request.Options.Set(Note, note);
            try
            {
                var response = await base.SendAsync(request, cancellationToken);
                metrics.Called(account, (int)response.StatusCode);
                return response;
            }
            catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
            {
                // The handler cancels a slow connection itself.
                metrics.Called(account, status: null);
                throw note.IsConnected
                    ? new HttpRequestException(HttpRequestError.SecureConnectionError, "The handshake is too slow.", e)
                    : new HttpRequestException(HttpRequestError.ConnectionError, "The connection took too long.", e);
            }
            catch (Exception e)
            {
                metrics.Called(account, status: null);
                if (EgressProxyException.In(e) is { } proxy) Log.ProxyFailed(logger, proxy.Message);
                var hasEnded = note.IsConnected && HasEnded(e, request.RequestUri);
                if (certificates.Explain(e, hasEnded) is { } problem) Log.TlsFailed(logger, problem);
                throw;
            }
        }
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "A call to the upstream failed: {Problem}")]
        public static partial void ProxyFailed(ILogger logger, string problem);

        [LoggerMessage(LogLevel.Warning, "TLS with the upstream failed: {Problem}")]
        public static partial void TlsFailed(ILogger logger, string problem);
    }
}

using System.Diagnostics;
using System.Net.Sockets;
using Gateway.Operations;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Forwarder;

namespace Gateway.Upstream;

/// <summary>
/// The one way out: YARP's client (pooled connections, redirects not followed, cookies not kept, nothing decompressed), and
/// around it a counter.
/// </summary>
internal sealed class OutboundChain(GatewayMetrics metrics, ILogger<ForwarderHttpClientFactory> logger)
    : ForwarderHttpClientFactory(logger)
{
    // Set once the upstream has taken the connection that was made for a request; the TLS handshake is still to come.
    private static readonly HttpRequestOptionsKey<bool> IsConnected = new("Gateway.IsConnected");

    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(2), Silence = TimeSpan.FromSeconds(2);

    public HttpMessageInvoker CreateClient() =>
        CreateClient(new ForwarderHttpClientContext { NewConfig = HttpClientConfig.Empty });

    protected override void ConfigureHandler(ForwarderHttpClientContext context, SocketsHttpHandler handler)
    {
        base.ConfigureHandler(context, handler);
        // Within this are the name's look-up, the connection and the TLS handshake.
        handler.ConnectTimeout = ConnectTimeout;
        handler.ConnectCallback = ConnectAsync;
        // An address that moved is found again.
        handler.PooledConnectionLifetime = TimeSpan.FromMinutes(5);
        handler.MaxResponseHeadersLength = 32;
        handler.ActivityHeadersPropagator = new TraceAlone();
        // An HTTP/2 connection that went silent is given up, and not only the calls on it.
        handler.KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests;
        handler.KeepAlivePingDelay = Silence;
        handler.KeepAlivePingTimeout = Silence;
    }

    private static async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellation)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(context.DnsEndPoint, cancellation);
            context.InitialRequestMessage.Options.Set(IsConnected, true);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    protected override HttpMessageHandler WrapHandler(ForwarderHttpClientContext context, HttpMessageHandler handler) =>
        new AttemptCounter(metrics) { InnerHandler = handler };

    /// <summary>The upstream is told which trace a call belongs to, and no baggage, which callers may have put there.</summary>
    private sealed class TraceAlone : DistributedContextPropagator
    {
        private static readonly DistributedContextPropagator All = CreateDefaultPropagator();

        public override IReadOnlyCollection<string> Fields { get; } = ["traceparent", "tracestate"];

        public override void Inject(Activity? activity, object? carrier, PropagatorSetterCallback? setter) =>
            All.Inject(activity, carrier, (to, name, value) =>
            {
                if (Fields.Contains(name)) setter?.Invoke(to, name, value);
            });

        public override void ExtractTraceIdAndState(object? carrier, PropagatorGetterCallback? getter, out string? traceId, out string? traceState) =>
            All.ExtractTraceIdAndState(carrier, getter, out traceId, out traceState);

        public override IEnumerable<KeyValuePair<string, string?>>? ExtractBaggage(object? carrier, PropagatorGetterCallback? getter) => [];
    }

    private sealed class AttemptCounter(GatewayMetrics metrics) : DelegatingHandler
    {
        protected override async Task<HttpResponseMessage> SendAsync(
            HttpRequestMessage request, CancellationToken cancellationToken)
        {
            try
            {
                var response = await base.SendAsync(request, cancellationToken);
                metrics.UpstreamCalled((int)response.StatusCode);
                return response;
            }
            catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
            {
                // The handler gives up on connecting by a cancellation of its own.
                metrics.UpstreamCalled(status: 0);
                throw request.Options.TryGetValue(IsConnected, out _)
                    ? new HttpRequestException(HttpRequestError.SecureConnectionError, "The TLS handshake took too long.", e)
                    : new HttpRequestException(HttpRequestError.ConnectionError, "The connection took too long.", e);
            }
            catch (Exception)
            {
                metrics.UpstreamCalled(status: 0);
                throw;
            }
        }
    }
}

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
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(2), Silence = TimeSpan.FromSeconds(2);

    public HttpMessageInvoker CreateClient() =>
        CreateClient(new ForwarderHttpClientContext { NewConfig = HttpClientConfig.Empty });

    protected override void ConfigureHandler(ForwarderHttpClientContext context, SocketsHttpHandler handler)
    {
        base.ConfigureHandler(context, handler);
        handler.ConnectTimeout = ConnectTimeout;
        // An address that moved is found again.
        handler.PooledConnectionLifetime = TimeSpan.FromMinutes(5);
        handler.MaxResponseHeadersLength = 32;
        // An HTTP/2 connection that went silent is given up, and not only the calls on it.
        handler.KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests;
        handler.KeepAlivePingDelay = Silence;
        handler.KeepAlivePingTimeout = Silence;
    }

    protected override HttpMessageHandler WrapHandler(ForwarderHttpClientContext context, HttpMessageHandler handler) =>
        new AttemptCounter(metrics) { InnerHandler = handler };

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
                throw new HttpRequestException(HttpRequestError.ConnectionError, "The connection took too long.", e);
            }
            catch (Exception)
            {
                metrics.UpstreamCalled(status: 0);
                throw;
            }
        }
    }
}

using System.Net;
using Gateway.Operations;
using Microsoft.Extensions.Http.Resilience;
using Polly;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Forwarder;

namespace Gateway.Upstream;

/// <summary>
/// The one way out: YARP's client (pooled connections, redirects not followed, cookies not kept, nothing decompressed),
/// inside it, for each attempt, a counter, and around it retry and circuit breaker.
/// </summary>
internal sealed class OutboundChain(GatewayMetrics metrics, ILogger<ForwarderHttpClientFactory> logger, TimeProvider clock)
    : ForwarderHttpClientFactory(logger)
{
    /// <summary>How long an open circuit stays so.</summary>
    public static readonly TimeSpan BreakDuration = TimeSpan.FromMilliseconds(500);

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
        new ResilienceHandler(BuildPipeline(clock)) { InnerHandler = new AttemptCounter(metrics) { InnerHandler = handler } };

    /// <summary>
    /// Retries a GET, which has no body, where the connection failed or the answer is 502, 503 or 504, unless that says
    /// when to come back. The breaker sees each attempt. Time is bounded by the caller, for one bound covers the body, too.
    /// </summary>
    internal static ResiliencePipeline<HttpResponseMessage> BuildPipeline(TimeProvider clock) =>
        new ResiliencePipelineBuilder<HttpResponseMessage> { TimeProvider = clock }
            .AddRetry(new HttpRetryStrategyOptions
            {
                MaxRetryAttempts = 2,
                Delay = TimeSpan.FromMilliseconds(100),
                BackoffType = DelayBackoffType.Exponential,
                UseJitter = true,
                ShouldRetryAfterHeader = false,
                ShouldHandle = static attempt => ValueTask.FromResult(attempt.Outcome switch
                {
                    { Exception: HttpRequestException } => true,
                    { Result: { } response } => IsGatewayError(response.StatusCode) && response.Headers.RetryAfter is null,
                    _ => false,
                }),
            })
            .AddCircuitBreaker(new HttpCircuitBreakerStrategyOptions
            {
                FailureRatio = 0.5,
                MinimumThroughput = 20,
                SamplingDuration = TimeSpan.FromSeconds(10),
                BreakDuration = BreakDuration,
                ShouldHandle = static attempt => ValueTask.FromResult(attempt.Outcome switch
                {
                    // Nobody but the deadline cancels a fetch.
                    { Exception: HttpRequestException or OperationCanceledException } => true,
                    { Result: { } response } => response.StatusCode >= HttpStatusCode.InternalServerError,
                    _ => false,
                }),
            })
            .Build();

    private static bool IsGatewayError(HttpStatusCode status) =>
        status is HttpStatusCode.BadGateway or HttpStatusCode.ServiceUnavailable or HttpStatusCode.GatewayTimeout;

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

using Gateway.Configuration;
using Gateway.Jobs;
using Gateway.Operations;
using Gateway.Upstream;
using Microsoft.AspNetCore.Http.Features;
using Yarp.ReverseProxy.Forwarder;

namespace Gateway.Routes;

/// <summary>
/// Forwards a request of a route, with an account's credential and within its budget, and streams the answer. Whoever
/// leaves ends the call, for it is nobody else's.
/// </summary>
internal sealed partial class RouteForwarder(
    IHttpForwarder forwarder, OutboundChain chain, AccountCalls calls, LiveConfiguration configuration, TimeProvider clock, ILogger<RouteForwarder> logger)
    : IDisposable
{
    private readonly HttpMessageInvoker _client = chain.CreateClient();

    public void Dispose() => _client.Dispose();

    /// <returns>What to answer instead; null: the upstream's answer went out, whole or cut short.</returns>
    public async Task<Problem?> ForwardAsync(HttpContext http, ForwardedRoute route, string account, string team)
    {
        AskOnly(http);
        // Not a refresh: there is nothing else to answer with.
        var call = calls.Begin(account, default, team, CallRank.FirstRead);
        var answer = await calls.MakeAsync(call, credential => SendAsync(http, route, credential));
        if (answer.Fault == UpstreamFault.EchoedCredential) Log.Echoed(logger, route.Name);
        if (http.Response.HasStarted || answer is { Fault: UpstreamFault.None, Status: 304 or (>= 200 and < 300) }) return null;
        return Problem.FromUpstream(Freshness.ClassifyFailure(answer, configuration.Current.Jobs), answer);
    }

    private async Task<UpstreamAnswer> SendAsync(HttpContext http, ForwardedRoute route, Credential credential)
    {
        var options = configuration.Current.Upstream;
        using var deadline = new CancellationTokenSource(options.Timeout, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, http.RequestAborted);
        var transformer = new RouteTransformer(route, options.BaseAddress, credential, clock, onHeaders: () => deadline.CancelAfter(Timeout.InfiniteTimeSpan));
        var request = new ForwarderRequestConfig { ActivityTimeout = route.Options.IdleTimeout > options.Timeout ? route.Options.IdleTimeout : options.Timeout };
        // The one before may have been refused.
        http.Response.StatusCode = StatusCodes.Status200OK;
        var error = await forwarder.SendAsync(http, options.BaseAddress.AbsoluteUri, _client, request, transformer, either.Token);
        if (transformer.HasEcho) return UpstreamAnswer.Failed(UpstreamFault.EchoedCredential, 200);
        return error switch
        {
            ForwarderError.None => transformer.Answer,
            _ when http.RequestAborted.IsCancellationRequested && !http.Response.HasStarted => UpstreamAnswer.Failed(UpstreamFault.CallerGone),
            ForwarderError.RequestTimedOut or ForwarderError.RequestCanceled or ForwarderError.ResponseBodyCanceled when deadline.IsCancellationRequested => UpstreamAnswer.Failed(UpstreamFault.TimedOut),
            ForwarderError.RequestTimedOut => UpstreamAnswer.Failed(UpstreamFault.TimedOut),
            ForwarderError.ResponseBodyClient or ForwarderError.ResponseBodyCanceled => transformer.Answer,
            ForwarderError.ResponseBodyDestination => UpstreamAnswer.Failed(UpstreamFault.CutShort, transformer.Answer.Status),
            ForwarderError.Request => UpstreamAnswer.Failed(UpstreamFault.Unreachable),
            _ => UpstreamAnswer.Failed(UpstreamFault.CallerGone),
        };
    }

    // A body does not go on, nor does a connection become something else.
    private static void AskOnly(HttpContext http)
    {
        http.Features.Set<IHttpUpgradeFeature>(null);
        http.Features.Set<IHttpExtendedConnectFeature>(null);
        http.Features.Set<IHttpRequestBodyDetectionFeature>(new NoBody());
    }

    private sealed class NoBody : IHttpRequestBodyDetectionFeature
    {
        public bool CanHaveBody => false;
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Error, "The upstream sent back its credential in an answer of route {Route}; the answer was ended")]
        public static partial void Echoed(ILogger logger, string route);
    }
}

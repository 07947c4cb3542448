using Gateway.Jobs;
using Gateway.Problems;
using Gateway.Telemetry;
using Gateway.Upstream;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Options;
using Yarp.ReverseProxy.Forwarder;

namespace Gateway.Routes;

/// <summary>
/// Forwards a request of a route, with an account's credential and within its budget, and streams the answer. The
/// call belongs to one caller, and is cancelled when the caller leaves.
/// </summary>
internal sealed partial class RouteForwarder(
    IHttpForwarder forwarder, OutboundChain chain, AccountCalls calls, StreamSlots slots,
    AnswerReferences references, IOptionsMonitor<UpstreamOptions> upstream, IOptionsMonitor<JobsOptions> jobs,
    TimeProvider clock, ILogger<RouteForwarder> logger) : IDisposable
{
    private readonly HttpMessageInvoker _client = chain.CreateClient();

    public void Dispose() => _client.Dispose();

    /// <returns>The answer to send instead; null if the upstream's answer was sent, whole or cut short.</returns>
    public async Task<Problem?> ForwardAsync(
        HttpContext http, ForwardedRoute route, string account, string team, UseCounter? use)
    {
        var headers = http.Response.Headers.ToArray();
        // Not a refresh, because no snapshot can answer instead.
        var call = calls.Begin(account, default, team, CallRank.FirstRead, use);
        UpstreamAnswer answer;
        RouteTransformer? last = null;
        using (var slot = slots.Take(call))
        {
            if (slot is null) return UpstreamProblems.Of(new Verdict(VerdictKind.OverBudget, TimeSpan.Zero), default);
            AskOnly(http);
            answer = await calls.MakeAsync(call,
                (credential, judge) => SendAsync(http, route, call.Gate.Name, credential, judge, out last));
        }
        if (answer.Fault == UpstreamFault.None && last is { IsPassed: true }) return null;
        // A caller that left is no failure, and gets no answer.
        if (answer.Fault == UpstreamFault.CallerGone) http.RequestAborted.ThrowIfCancellationRequested();
        if (answer.Fault is not (UpstreamFault.None or UpstreamFault.JobRefused))
        {
            Log.Failed(logger, route.Name, answer.Fault, http.Response.HasStarted ? "cut short" : "replaced");
        }
        if (http.Response.HasStarted) return null;

        // The forwarder may have removed the gateway's headers and added some of the upstream's.
        http.Response.Headers.Clear();
        foreach (var (name, values) in headers) http.Response.Headers[name] = values;
        if (answer.Fault == UpstreamFault.None && last is { IsBeyondEnd: true })
        {
            http.Response.Headers.ContentRange = last.SizeAlone;
            return new Problem(RouteProblems.RangeNotSatisfiable, "The range begins after the end of the resource.");
        }
        return UpstreamProblems.Of(UpstreamVerdict.OfFailure(answer, jobs.CurrentValue), answer);
    }

    private Task<UpstreamAnswer> SendAsync(
        HttpContext http, ForwardedRoute route, string account, Credential credential,
        Func<UpstreamAnswer, ValueTask> judge, out RouteTransformer transformer)
    {
        // An earlier call with another credential may have set a refusal.
        http.Response.StatusCode = StatusCodes.Status200OK;
        var deadline = new CancellationTokenSource(upstream.CurrentValue.Timeout, clock);
        transformer = new RouteTransformer(
            route, upstream.CurrentValue.BaseAddress, account, credential, references, clock, answer =>
            {
                deadline.CancelAfter(Timeout.InfiniteTimeSpan);
                // A stream may last for hours. Report the outcome now: other calls may wait for it.
                return judge(answer);
            });
        return SendAsync(http, route, transformer, deadline);
    }

    private async Task<UpstreamAnswer> SendAsync(
        HttpContext http, ForwardedRoute route, RouteTransformer transformer, CancellationTokenSource deadline)
    {
        using var _ = deadline;
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, http.RequestAborted);
        var error = await forwarder.SendAsync(
            http, upstream.CurrentValue.BaseAddress.AbsoluteUri, _client,
            new ForwarderRequestConfig { ActivityTimeout = route.Options.IdleTimeout }, transformer, either.Token);
        if (transformer.HasEcho) return UpstreamAnswer.Failed(UpstreamFault.EchoedCredential, 200);
        var status = transformer.Answer.Status;
        return error switch
        {
            ForwarderError.None => transformer.Answer,
            _ when deadline.IsCancellationRequested => UpstreamAnswer.Failed(UpstreamFault.TimedOut),
            // The forwarder has aborted the caller's connection itself, so the caller may seem to have left.
            ForwarderError.ResponseBodyDestination => UpstreamAnswer.Failed(UpstreamFault.CutShort, status),
            _ when http.RequestAborted.IsCancellationRequested => UpstreamAnswer.Failed(UpstreamFault.CallerGone),
            ForwarderError.RequestTimedOut => UpstreamAnswer.Failed(UpstreamFault.TimedOut),
            ForwarderError.Request =>
                UpstreamAnswer.Failed(UpstreamErrors.FaultOf(http.Features.Get<IForwarderErrorFeature>()?.Exception)),
            ForwarderError.ResponseBodyCanceled => UpstreamAnswer.Failed(UpstreamFault.CutShort, status),
            _ => UpstreamAnswer.Failed(UpstreamFault.CallerGone),
        };
    }

    // Forward neither a body nor an upgrade of the connection.
    private static void AskOnly(HttpContext http)
    {
        http.Features.Set<IHttpUpgradeFeature>(null);
        http.Features.Set<IHttpRequestBodyDetectionFeature>(new NoBody());
    }

    private sealed class NoBody : IHttpRequestBodyDetectionFeature
    {
        public bool CanHaveBody => false;
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "A call of route {Route} failed, and its answer was {How}: {Fault}")]
        public static partial void Failed(ILogger logger, string route, UpstreamFault fault, string how);
    }
}

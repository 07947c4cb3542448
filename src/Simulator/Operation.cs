using Simulator.Jobs;

namespace Simulator;

/// <summary>The one documented operation, <c>GET /v0/workflows/{workflow_id}/jobs/{job_id}</c>.</summary>
internal sealed partial class Operation(
    Credentials credentials,
    Faults faults,
    Lives lives,
    Ledger ledger,
    IReadOnlyDictionary<string, RequestDelegate> others,
    TimeProvider clock,
    ILogger<Operation> log)
{
    public const string Route = "/v0/workflows/{workflow_id}/jobs/{job_id}";

    private readonly FirstAsked _asked = new(clock);

    /// <summary>
    /// 1. Count the call. 2. Refuse an undocumented method, and a credential that is not accepted. 3. Take the fault
    /// that applies, and wait for its delay. 4. Decide the answer and list the call. 5. Send it, or fail as
    /// scripted.
    /// </summary>
    public async Task AnswerAsync(HttpContext context, CancellationToken stopping)
    {
        string workflowId = (string)context.GetRouteValue("workflow_id")!;
        string jobId = (string)context.GetRouteValue("job_id")!;

        // Routing accepts any case and a trailing slash, but the documented path has neither.
        if (context.Request.Path.Value != $"/v0/workflows/{workflowId}/jobs/{jobId}")
        {
            await AnswerUnknownAsync(context);
            return;
        }

        // 1.
        DateTimeOffset at = clock.GetUtcNow();
        ledger.Arrived(workflowId, jobId);
        foreach (string request in Etiquette.Objections(context.Request))
            ledger.Objected(request);

        using var either = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopping);
        CancellationToken gone = either.Token;
        try
        {
            // 2.
            if (Refusal(context.Request) is Answer refusal)
            {
                List(context, at, workflowId, jobId, refusal.Status);
                await Wire.SendAsync(context, refusal, gone);
                return;
            }

            // 3.
            DateTimeOffset firstAsked = _asked.Of(workflowId, jobId);
            Fault? fault = faults.Take(jobId);
            if (fault is not null && !await WaitAsync(fault.Delay, gone))
            {
                List(context, at, workflowId, jobId, status: 0);
                context.Abort();
                return;
            }

            // 4.
            JobView view = lives.Find(jobId) is Life life
                ? JobView.Of(workflowId, jobId, firstAsked, life)
                : JobView.At(workflowId, jobId, firstAsked, clock.GetUtcNow());
            Answer answer = Reply.To(view, fault, context.Request.Headers.Authorization.ToString());
            List(context, at, workflowId, jobId, fault?.Kind switch
            {
                FaultKind.Reset or FaultKind.Hang => 0,
                FaultKind.Huge => 200,
                _ => answer.Status,
            });

            // 5.
            switch (fault?.Kind)
            {
                case FaultKind.Reset:
                    context.Abort();
                    break;
                case FaultKind.Hang:
                    await Wire.HangAsync(context, gone);
                    break;
                case FaultKind.Huge:
                    await Wire.SendHugeAsync(context, workflowId, jobId, gone);
                    break;
                case FaultKind.Cut:
                    await Wire.CutAsync(context, answer, gone);
                    break;
                default:
                    await Wire.SendAsync(context, answer, gone);
                    break;
            }
        }
        catch (OperationCanceledException) when (gone.IsCancellationRequested)
        {
            context.Abort();
        }
    }

    /// <summary>Answers any other path: with a scripted operation, or with 404.</summary>
    public async Task AnswerUnknownAsync(HttpContext context)
    {
        if (others.TryGetValue(context.Request.Path.Value ?? "", out RequestDelegate? other))
        {
            if (Refusal(context.Request) is Answer refusal)
                await Wire.SendAsync(context, refusal, context.RequestAborted);
            else
                await other(context);
            return;
        }
        ledger.Objected($"{context.Request.Method} {context.Request.Path}{context.Request.QueryString}");
        await Wire.SendAsync(context, Answer.Error(404, "no such operation"), context.RequestAborted);
    }

    private Answer? Refusal(HttpRequest request) =>
        !HttpMethods.IsGet(request.Method) ? Answer.Error(405, "only GET is documented")
        : !credentials.IsAccepted(request.Headers.Authorization is [string only] ? only : null)
            ? Answer.Error(403, "the Authorization header holds no accepted key")
        : null;

    /// <summary>Waits for the delay. Returns whether the client is still connected.</summary>
    private async Task<bool> WaitAsync(TimeSpan delay, CancellationToken gone)
    {
        if (delay > TimeSpan.Zero)
            await Task.Delay(delay, clock, gone).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return !gone.IsCancellationRequested;
    }

    private void List(HttpContext context, DateTimeOffset at, string workflowId, string jobId, int status)
    {
        HttpRequest request = context.Request;
        ledger.Answered(new Call(at, workflowId, jobId, request.Protocol, status, Etiquette.Headers(request)));
        Log.Answered(log, status, request.Method, request.Path, request.Protocol);
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Information, Message = "{Status} {Method} {Path} {Protocol}")]
        public static partial void Answered(
            ILogger logger, int status, string method, PathString path, string protocol);
    }
}

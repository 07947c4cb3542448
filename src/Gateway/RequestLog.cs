using System.Diagnostics;

namespace Gateway;

/// <summary>Writes one line for an answered request.</summary>
internal static partial class RequestLog
{
    /// <param name="cacheStatus">The value of <c>Cache-Status</c>; null if the request did not reach the cache.</param>
    public static void Answered(ILogger logger, RequestState request, int status, string? cacheStatus, string? detail)
    {
        var level = RefusalLog.LevelOf(status);
        var (team, caller, traceId) = (request.TeamName, request.Caller?.Id, request.TraceId);
        var milliseconds = Stopwatch.GetElapsedTime(request.Started).TotalMilliseconds;
        if (request.Route is { } route)
        {
            Forwarded(logger, level, status, route.Name, request.WorkflowNames, team, caller, detail, milliseconds,
                traceId);
            return;
        }
        var (workflow, job) = (request.Address.Workflow, request.Address.Job);
        Answered(
            logger, level, status, workflow, job, team, caller, cacheStatus, detail, milliseconds, traceId);
    }

    [LoggerMessage(Message =
        "{Status} for job {Workflow}/{Job}, team {Team}, caller {Caller}, cache {CacheStatus}, {Detail} in "
        + "{Milliseconds:0.0} ms, trace {TraceId}")]
    private static partial void Answered(
        ILogger logger, LogLevel level, int status, string? workflow, string? job, string? team,
        string? caller, string? cacheStatus, string? detail, double milliseconds, ActivityTraceId? traceId);

    [LoggerMessage(Message =
        "{Status} for route {Route}, workflow {Workflow}, team {Team}, caller {Caller}, {Detail} in "
        + "{Milliseconds:0.0} ms, trace {TraceId}")]
    private static partial void Forwarded(
        ILogger logger, LogLevel level, int status, string route, string? workflow, string? team,
        string? caller, string? detail, double milliseconds, ActivityTraceId? traceId);
}

using System.Diagnostics;
using Gateway.Callers;
using Gateway.Callers.Sessions;
using Gateway.Contract;
using Gateway.Edge;
using Gateway.Jobs;
using Gateway.Limits;
using Gateway.Operations;

namespace Gateway;

/// <summary>
/// What happens to a request: first the order of the middleware and the routes, then the path of a job, top to bottom.
/// </summary>
internal sealed partial class RequestPath(
    Identification callers, JobSource jobs, Pacing pacing, GatewayMetrics metrics, TimeProvider clock, ILogger<RequestPath> logger)
{
    public const string JobRoute = "/v0/workflows/{workflow_id}/jobs/{job_id}";

    public static void Map(WebApplication app)
    {
        app.UseSecurityHeaders();
        app.UseManagementPort();
        app.UseProxies();
        app.UseExceptionHandler(failed => failed.Run(BareStatus.WriteFailureAsync));
        app.UseStatusCodePages(BareStatus.WriteAsync);
        app.UseHttps();
        app.UseRouting();
        app.UseCors();

        // Made now, with all that it needs, and not at somebody's first request.
        var path = app.Services.GetRequiredService<RequestPath>();
        var job = (HttpContext http, string workflow_id, string job_id) => path.AnswerAsync(http, workflow_id, job_id);
        app.MapGet(JobRoute, job).DescribeJobOperation();
        app.MapMethods(JobRoute, [HttpMethods.Head], job).ExcludeFromDescription();
        app.MapHealth();
        app.MapProblemTypes();
        app.MapContract();
        PurgeEndpoint.Map(app);
        BrowserEndpoints.Map(app);
    }

    private async Task AnswerAsync(HttpContext http, string workflowId, string jobId)
    {
        var started = Stopwatch.GetTimestamp();
        var request = new JobRequest();
        try
        {
            var answer = await DecideAsync(http, workflowId, jobId, request);
            await answer.WriteAsync(http);
            metrics.Answered(request.TeamName ?? "", answer.Status);
            Log.Answered(logger, request, answer, Stopwatch.GetElapsedTime(started));
        }
        catch (OperationCanceledException) when (http.RequestAborted.IsCancellationRequested)
        {
            // The caller left; a fill it waited for goes on without it.
        }
    }

    private async ValueTask<IAnswer> DecideAsync(HttpContext http, string workflowId, string jobId, JobRequest request)
    {
        // 1. Bound: the server bounds sizes and routing bounds methods before this; here, the identifiers.
        if (!JobAddress.TryCreate(workflowId, jobId, out var address))
        {
            metrics.Refused("identifier");
            return new Problem(ProblemType.InvalidIdentifier, JobAddress.Form);
        }
        request.Address = address;

        // 2. Identify: who is asking, by the one credential that the request carries.
        var identity = await callers.IdentifyAsync(http);
        // An operator's key reads no jobs.
        if (identity.Caller is { IsOperator: true }) identity = Refusal.Unknown;
        if (identity.Caller is not { } caller) return identity.Problem;
        request.Caller = caller;

        // 3. Authorise: on every request and before any cache, for bodies are shared and permission is not. The first of the
        //    caller's teams that may read the workflow does, and is charged.
        if (caller.TeamFor(address.Workflow) is not { } team)
        {
            metrics.Refused(caller.Teams.Length == 0 ? "team" : "workflow");
            if (caller.Teams.Length > 0) RateLimitFields.Write(http.Response.Headers, caller.QuotasOf(caller.Teams[0]));
            return Forbidden(caller);
        }
        request.Team = team;

        // 4. Limit: one permit of each quota that counts, out of this node's leases.
        var quotas = caller.QuotasOf(team);
        var refusing = await Admission.TakeAsync(quotas);
        RateLimitFields.Write(http.Response.Headers, quotas);
        if (refusing.Length > 0)
        {
            metrics.Refused("quota");
            var names = refusing.Select(quota => quota.Policy).ToArray();
            return new Problem(ProblemType.QuotaExceeded, $"Team '{team.Name}' has used up its quota {string.Join(", ", names.Select(name => $"'{name}'"))}.")
            {
                RetryAfter = refusing.Max(quota => quota.Wait),
                ViolatedPolicies = names,
            };
        }

        // 5. Look up: a fresh snapshot in memory answers at once.
        var key = new JobKey(team.Account, address);
        if (jobs.FindFresh(key) is { } snapshot) return Answer(key, Lookup.Hit(snapshot), collapsed: false);

        // 6. Fetch and 7. classify and store: in the one fill of this job, which is nobody's request. Whoever leaves here
        //    leaves alone.
        var fill = jobs.FillAsync(key, team.Name, out var collapsed);
        var lookup = await fill.WaitAsync(http.RequestAborted);

        // 8. Answer: from stored bytes.
        return Answer(key, lookup, collapsed);
    }

    private static Problem Forbidden(Caller caller) => caller.Teams switch
    {
        [] => new Problem(ProblemType.NoTeam, "No team has any of your claims."),
        [var team] => new Problem(ProblemType.WorkflowForbidden, $"Team '{team.Name}' may not read this workflow."),
        var teams => new Problem(ProblemType.WorkflowForbidden,
            $"None of the teams {string.Join(", ", teams.Select(team => $"'{team.Name}'"))} may read this workflow."),
    };

    private IAnswer Answer(JobKey key, Lookup lookup, bool collapsed)
    {
        var now = clock.GetUtcNow();
        collapsed |= lookup.WasElsewhere;
        var fromCache = lookup.Origin != Origin.Forwarded;
        var status = CacheStatus.Of(lookup, collapsed, now);
        metrics.LookedUp(lookup.Origin, collapsed);
        return lookup.Snapshot switch
        {
            { Kind: VerdictKind.Running } job => new JobAnswer(job, status, fromCache, now)
            {
                NextPoll = Later(pacing.NextPoll(key, job, now), lookup.Answer.RetryAfter),
                IsStale = lookup.Origin == Origin.Stale,
            },
            { Kind: not VerdictKind.NotFound } job => new JobAnswer(job, status, fromCache, now) { IsStale = lookup.Origin == Origin.Stale },
            { } notFound => Problem.NotFound(notFound) with { CacheStatus = status, Age = fromCache ? now - notFound.FetchedAt : null },
            null => Problem.FromUpstream(lookup.Verdict, lookup.Answer) with { CacheStatus = status },
        };
    }

    // A failing upstream may have asked for more.
    private static TimeSpan Later(TimeSpan time, TimeSpan? asked) => asked > time ? asked.Value : time;

    /// <summary>What is known of a request while it is being decided, for the log line.</summary>
    private sealed class JobRequest
    {
        public JobAddress Address { get; set; }

        public Caller? Caller { get; set; }

        /// <summary>The team that is charged.</summary>
        public Team? Team { get; set; }

        // Who may not read the workflow is refused in the name of the first.
        public string? TeamName => (Team ?? Caller?.Teams.FirstOrDefault())?.Name;
    }

    private static partial class Log
    {
        public static void Answered(ILogger logger, JobRequest request, IAnswer answer, TimeSpan time)
        {
            var level = answer.Status switch
            {
                < 400 => LogLevel.Debug,
                < 500 => LogLevel.Information,
                _ => LogLevel.Warning,
            };
            if (!logger.IsEnabled(level)) return;
            Answered(logger, level, answer.Status, request.Address.Workflow, request.Address.Job, request.TeamName,
                request.Caller?.Id, (answer as Problem)?.Detail, time.TotalMilliseconds, Activity.Current?.TraceId);
        }

        [LoggerMessage(Message =
            "{Status} for job {Workflow}/{Job}, team {Team}, caller {Caller}, {Detail} in {Milliseconds:0.0} ms, trace {TraceId}")]
        private static partial void Answered(ILogger logger, LogLevel level, int status, string? workflow, string? job,
            string? team, string? caller, string? detail, double milliseconds, ActivityTraceId? traceId);
    }
}

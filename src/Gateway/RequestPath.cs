using System.Diagnostics;
using Gateway.Admin;
using Gateway.Caching;
using Gateway.Callers;
using Gateway.Callers.Sessions;
using Gateway.Contract;
using Gateway.Drift;
using Gateway.Edge;
using Gateway.Jobs;
using Gateway.Limits;
using Gateway.Problems;
using Gateway.Routes;
using Gateway.Runtime;
using Gateway.Telemetry;
using Gateway.Upstream;
using Gateway.Usage;
using Gateway.Viewer;
using Gateway.Watching;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Routing.Patterns;
using Microsoft.Extensions.Primitives;

namespace Gateway;

/// <summary>
/// The path of a request, from top to bottom: first the order of the middleware and the routes, then the steps for a
/// job. <c>docs/architecture.md</c> describes the steps.
/// </summary>
internal sealed partial class RequestPath(
    Identification callers, JobSource jobs, Pacing pacing, LongPoll longPoll, EventStreams streams,
    RouteForwarder forwarder, LargeBodies bodies,
    RequestMetrics requests, CacheMetrics lookups, RefusalMetrics refused, RefusalLog refusals,
    UnmatchedCallers unmatched, SteadyClock clock,
    ILogger<RequestPath> logger)
{
    // The endpoint in metrics and traces of a request that was answered without routing.
    private static readonly Endpoint JobEndpoint = new RouteEndpointBuilder(
        _ => Task.CompletedTask, RoutePatternFactory.Parse(JobAddress.Route), order: 0).Build();

    private static readonly Problem NoRoom =
        new(UpstreamProblems.NoRoom, "Too many large jobs are under way.") { RetryAfter = ByteBudget.RetryAfter };

    public static void Map(WebApplication app)
    {
        app.UseThreadShare();
        app.UseDrain();
        app.UseSecurityHeaders();
        app.UseManagementPort();
        app.UseAllowedHosts();
        app.UseProxies();
        app.UseExceptionHandler(failed => failed.Run(StatusCodePages.WriteFailureAsync));
        app.UseHttps();

        // Create the request path and its dependencies now, and not at the first request.
        var path = app.Services.GetRequiredService<RequestPath>();
        app.Use((http, next) => path.TryAnswerFromMemory(http, out var answering) ? answering : next(http));

        app.UsePoolFor("/admin", "/bff", "/docs", "/openapi", "/view");
        app.UseTraces();
        app.UseStatusCodePages(StatusCodePages.WriteAsync);
        app.UseMethods();
        app.UseRouting();
        app.UseCors();
        app.UseRequestBodies();

        app.MapGet(JobAddress.Route,
                (HttpContext http, string workflow_id, string job_id) => path.AnswerAsync(http, workflow_id, job_id))
            .DescribeJobOperation();
        app.MapMethods(JobAddress.Route, [HttpMethods.Head],
                (HttpContext http, string workflow_id, string job_id) => path.AnswerAsync(http, workflow_id, job_id))
            .ExcludeFromDescription();
        app.MapGet(JobAddress.EventsRoute,
                (HttpContext http, string workflow_id, string job_id) =>
                    path.StreamAsync(http, $"{workflow_id}/{job_id}", RequestState.Stream))
            .DescribeStream(ofMany: false);
        app.MapGet(JobAddress.ManyEventsRoute,
                (HttpContext http, [FromQuery] string[] job) =>
                    path.StreamAsync(http, job, RequestState.Streams))
            .DescribeStream(ofMany: true);
        app.MapGet(JobAddress.ManyRoute,
                (HttpContext http, [FromQuery] string[] job) => path.AnswerManyAsync(http, job))
            .DescribeBatch();
        foreach (var route in app.Services.GetRequiredService<ForwardedRoutes>().All)
        {
            app.MapMethods(route.Template.Text, [HttpMethods.Get, HttpMethods.Head],
                (HttpContext http) => path.ForwardAsync(http, route)).ExcludeFromDescription();
        }
        app.MapHealth();
        app.MapProblemTypes();
        app.MapContract();
        app.MapViewer();
        app.MapAdmin();
        UsageEndpoint.Map(app);
        DriftEndpoint.Map(app);
        BrowserEndpoints.Map(app);
    }

    /// <summary>
    /// Answers the most frequent kind of request without routing and without waiting: the request has a valid gateway
    /// key and a job's path in its plain form, the team may read the workflow, this node holds a permit, and a fresh
    /// snapshot is in memory. Any other request is left unchanged for the full path. Both paths end in
    /// <see cref="Ended"/>.
    /// </summary>
    private bool TryAnswerFromMemory(HttpContext http, out Task answering)
    {
        answering = Task.CompletedTask;
        var asked = http.Request;
        var headers = asked.Headers;
        // The full path adds headers for pages of other origins, and reads the request's body.
        if (!JobAddress.TryRead(asked.Path.Value, out var address) || !(asked.Method is "GET" or "HEAD")
            || headers.Origin.Count > 0 || RequestBody.MayBeIn(http)) return false;
        // Time and caller are noted only if the request is logged.
        var isLogged = logger.IsEnabled(LogLevel.Debug);
        var started = isLogged ? Stopwatch.GetTimestamp() : 0;

        if (callers.FindKey(http) is not { } caller || caller.TeamFor(address.Workflow) is not { } team) return false;
        var key = new JobKey(team.Account, address);
        var now = clock.Now;
        if (jobs.FindFresh(key, now) is not { IsAbsent: false } job
            || job.Find(ContentNegotiation.Wanted(headers)) is not { } representation
            || JobAnswer.IsLargeBody(representation)) return false;
        // The request may have to wait for a change. A finished job does not change.
        if (job.Kind != VerdictKind.Finished && headers[Prefer.Name].Count > 0) return false;
        var quotas = caller.QuotasOf(team);
        if (!Admission.TryTake(quotas)) return false;

        http.SetEndpoint(JobEndpoint);
        RateLimitFields.Write(http.Response.Headers, quotas);
        var answer = Hit(key, job, representation, now);
        lookups.Hit(http, team.Name);
        caller.Use!.Hit();
        var writing = answer.WriteAsync(http);
        var request = !isLogged ? null
            : new RequestState
            {
                Started = started,
                Address = address,
                Caller = caller,
                Team = team,
                TraceId = RequestTraces.TraceIdOf(http),
            };
        if (writing.IsCompletedSuccessfully) Ended(http, team.Name, RequestState.Job, answer, answer.Status, request);
        else answering = EndWhenWrittenAsync(http, writing, team, answer, request);
        return true;
    }

    private async Task AnswerAsync(HttpContext http, string workflowId, string jobId)
    {
        var request = new RequestState();
        try
        {
            var answer = await DecideAsync(http, workflowId, jobId, request);
            // A large body stays in memory for as long as its caller takes to read it.
            var large = answer is JobAnswer { IsLarge: true } job ? job : null;
            using var writing = large is null ? null
                : bodies.BeginWriting(new JobKey(request.Team!.Account, request.Address), large.Snapshot);
            if (large is not null && writing is null) answer = NoRoom;
            await ForPerson(http, answer, workflowId, jobId).WriteAsync(http);
            EndedInFull(http, request, answer, answer.Status);
        }
        catch (OperationCanceledException) when (http.RequestAborted.IsCancellationRequested)
        {
            // The caller left. The fill for which it waited goes on.
        }
    }

    /// <summary>Counts and logs an answered request. A request whose caller left was not answered.</summary>
    /// <param name="answer">Null if the upstream's answer was forwarded.</param>
    /// <param name="request">Null if the request is not logged.</param>
    private void Ended(
        HttpContext http, string team, string operation, IAnswer? answer, int status, RequestState? request)
    {
        if (answer is JobAnswer { CallerLeft: true }) return;
        requests.Answered(team, operation, status);
        if (request is null || !logger.IsEnabled(RefusalLog.LevelOf(status))) return;
        var problem = answer as Problem;
        if (status >= 400)
        {
            var source = request.Caller?.Id ?? FailedAttemptLimiter.NetworkOf(http);
            if (!refusals.IsLine(status, problem?.Type.Slug ?? "", source)) return;
        }
        var cacheStatus = problem is null ? (answer as JobAnswer)?.CacheStatus.ToString() : problem.CacheStatus;
        RequestLog.Answered(logger, request, status, cacheStatus, problem?.Detail);
    }

    private async ValueTask<IAnswer> DecideAsync(
        HttpContext http, string workflowId, string jobId, RequestState request)
    {
        // 1. Bound: the server has limited sizes, and routing has limited methods. Identifiers are checked here.
        if (!JobAddress.TryCreate(workflowId, jobId, out var address))
        {
            refused.Refused("identifier");
            return new Problem(JobProblems.InvalidIdentifier, JobAddress.Form);
        }
        request.Address = address;

        // 2. Identify, 3. authorise and 4. limit.
        if (await AdmitAsync(http, request) is { } refusal) return refusal;
        var team = request.Team!;

        var key = new JobKey(team.Account, address);
        var hasWaited = await longPoll.WaitAsync(http, key, team.Name);
        if (hasWaited && await RecheckAsync(request) is { } ended) return ended;

        var (lookup, isShared) = await LookUpAsync(http, key, team.Name, request.Use);
        var outcome = lookups.LookedUp(team.Name, lookup, isShared);
        CacheMetrics.Tag(http, hasWaited ? CacheMetrics.Waited : outcome);

        // 8. Answer with the stored bytes.
        return await AnswerAsync(ContentNegotiation.Wanted(http.Request.Headers), key, lookup, isShared);
    }

    /// <returns>The result, and whether the caller shared a fetch with others.</returns>
    private async ValueTask<(Lookup Found, bool IsShared)> LookUpAsync(
        HttpContext http, JobKey key, string team, UseCounter? use)
    {
        // 5. Look up: a fresh snapshot in memory.
        if (jobs.FindFresh(key, clock.Now) is { } snapshot) return (new Lookup.Hit(snapshot), false);

        // 6. Fetch, 7. classify and store: in the one fill of this job. The fill belongs to no request, and goes on
        //    when a caller leaves.
        var fill = jobs.FillAsync(key, team, use, out var isShared);
        var lookup = await fill.WaitAsync(http.RequestAborted);
        return (lookup, isShared || lookup is Lookup.Fetched { WasElsewhere: true });
    }

    /// <returns>Null if the request may go on, on behalf of <see cref="RequestState.Team"/>.</returns>
    private async ValueTask<Problem?> AdmitAsync(HttpContext http, RequestState request)
    {
        var identity = await IdentifyAsync(http, request);
        if (identity.Caller is not { } caller) return identity.Problem;
        // Only a request with a preference may wait, and must then be checked again.
        if (http.Request.Headers[Prefer.Name].Count > 0) request.Identity = callers.Keep(http, identity);

        // 3. Authorise each request before any look-up, because teams share bodies and not permissions. The first of
        //    the caller's teams that may read the workflow is charged.
        if (request.TeamOf(caller) is not { } team)
        {
            if (caller.Teams.Length > 0) RateLimitFields.Write(http.Response.Headers, caller.QuotasOf(caller.Teams[0]));
            return Forbid(request, caller);
        }
        request.Team = team;

        // 4. Limit.
        return await TakeAsync(http, caller, team);
    }

    /// <summary>Step 2: identifies the caller by the one credential that the request carries.</summary>
    private async ValueTask<Identity> IdentifyAsync(
        HttpContext http, RequestState request, SessionUse use = SessionUse.Request)
    {
        var identity = await callers.IdentifyAsync(http, use);
        // Operators may not read jobs.
        if (identity.Caller is { IsOperator: true }) return Refusal.Unknown;
        request.Caller = identity.Caller;
        return identity;
    }

    /// <summary>Takes a permit of each quota that counts, from this node's leases.</summary>
    /// <returns>Null if the request may go on.</returns>
    private async ValueTask<Problem?> TakeAsync(HttpContext http, Caller caller, Team team)
    {
        var quotas = caller.QuotasOf(team);
        var refusing = await Admission.TakeAsync(quotas);
        RateLimitFields.Write(http.Response.Headers, quotas);
        (caller.Use ?? team.Use).AskedForPermit(isGranted: refusing.Length == 0);
        if (refusing.Length == 0) return null;
        refused.Refused("quota");
        var names = refusing.Select(quota => quota.Policy).ToArray();
        var quoted = string.Join(", ", names.Select(name => $"'{name}'"));
        return new Problem(QuotaProblems.QuotaExceeded, $"Team '{team.Name}' has used up its quota {quoted}.")
        {
            RetryAfter = refusing.Max(quota => quota.Wait),
            ViolatedPolicies = names,
        };
    }

    /// <summary>Step 8: creates the answer from the result of the look-up.</summary>
    /// <param name="wanted">The content codings that the caller accepts, the best one first.</param>
    private async ValueTask<IAnswer> AnswerAsync(ContentCoding[] wanted, JobKey key, Lookup lookup, bool isShared)
    {
        if (lookup is Lookup.Failed { Why: var failure })
        {
            return UpstreamProblems.Of(failure.Verdict, failure.Answer) with { CacheStatus = Status() };
        }
        var job = lookup.Snapshot!;
        if (job.IsAbsent)
        {
            TimeSpan? age = lookup is Lookup.Fetched ? null : clock.Now - job.FetchedAt;
            return JobProblems.Absent(job) with { CacheStatus = Status(), Age = age };
        }
        var representation = await jobs.RepresentAsync(key, job, wanted);
        var now = clock.Now;
        if (lookup is Lookup.Hit) return Hit(key, job, representation, now);
        // The upstream may have asked callers to wait longer.
        var asked = lookup switch
        {
            Lookup.Fetched fetched => fetched.RetryAfter,
            Lookup.Stale stale => stale.Why.Answer.RetryAfter,
            _ => null,
        };
        return new JobAnswer(job, representation, Status(), fromCache: lookup is Lookup.Stale, now)
        {
            NextPoll = job.Kind == VerdictKind.Running ? Later(pacing.NextPoll(key, job, now), asked) : null,
        };

        StringValues Status() => CacheStatus.Of(lookup, isShared, clock.Now);
    }

    private JobAnswer Hit(JobKey key, JobSnapshot job, Representation representation, DateTimeOffset now) =>
        new(job, representation, HitFields.Of(job, now).CacheStatus, fromCache: true, now)
        {
            NextPoll = job.Kind == VerdictKind.Running ? pacing.NextPoll(key, job, now) : null,
        };

    private static TimeSpan Later(TimeSpan time, TimeSpan? asked) => asked > time ? asked.Value : time;
}

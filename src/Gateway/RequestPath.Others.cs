using Gateway.Caching;
using Gateway.Callers;
using Gateway.Jobs;
using Gateway.Problems;
using Gateway.Routes;
using Gateway.Telemetry;
using Gateway.Watching;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;

namespace Gateway;

/// <content>
/// The other operations: event streams, several jobs at once, waits, and forwarded routes. They use the same steps.
/// </content>
internal sealed partial class RequestPath
{
    /// <summary>The steps for an event stream of one job or several.</summary>
    /// <param name="jobs">The jobs, each as <c>workflow_id/job_id</c>.</param>
    private async Task StreamAsync(HttpContext http, StringValues jobs, string operation)
    {
        var request = new RequestState { Operation = operation };
        try
        {
            var problem = await DecideStreamAsync(http, jobs, request);
            if (problem is not null) await problem.WriteAsync(http);
            EndedInFull(http, request, problem, http.Response.StatusCode);
        }
        catch (OperationCanceledException) when (http.RequestAborted.IsCancellationRequested)
        {
            // The caller left before the stream began.
        }
    }

    /// <returns>Null if the stream has ended.</returns>
    private async Task<Problem?> DecideStreamAsync(HttpContext http, StringValues jobs, RequestState request)
    {
        var ofMany = request.Operation == RequestState.Streams;
        var identity = await IdentifyAsync(http, request, SessionUse.EventStream);
        if (identity.Caller is not { } caller) return identity.Problem;
        if (JobList.Parse(jobs) is not { } addresses) return Malformed(ofMany);
        request.Address = addresses[0];

        // The stream takes one permit for each team that it charges, and none for its events.
        var watched = new List<(JobKey Job, string Team)>();
        foreach (var address in addresses)
        {
            if (caller.TeamFor(address.Workflow) is not { } team) return Forbid(request, caller);
            if (!watched.Exists(other => other.Team == team.Name))
            {
                request.Team ??= team;
                if (await TakeAsync(http, caller, team) is { } refusal) return refusal;
            }
            watched.Add((new JobKey(team.Account, address), team.Name));
        }
        // Streams last long, and would hide what requests take.
        if (http.Features.Get<IHttpMetricsTagsFeature>() is { } metrics) metrics.MetricsDisabled = true;
        var view = new EventView(JobList.WantsSummary(http), ofMany);
        return await streams.RunAsync(http, callers.Keep(http, identity), [.. watched], view);
    }

    /// <summary>The steps for a request for several jobs, each of which has its own answer.</summary>
    private async Task AnswerManyAsync(HttpContext http, string[] named)
    {
        var request = new RequestState { Operation = RequestState.Jobs };
        try
        {
            var answer = await DecideManyAsync(http, named, request);
            await answer.WriteAsync(http);
            EndedInFull(http, request, answer, answer.Status);
        }
        catch (OperationCanceledException) when (http.RequestAborted.IsCancellationRequested)
        {
            // The caller left. The fills for which it waited go on.
        }
    }

    private async Task<IAnswer> DecideManyAsync(HttpContext http, string[] named, RequestState request)
    {
        var identity = await IdentifyAsync(http, request);
        if (identity.Caller is not { } caller) return identity.Problem;
        if (JobList.Parse(named) is not { } addresses) return Malformed(ofMany: true);
        request.Address = addresses[0];

        // Each job takes a permit. The fills of all jobs that got one run at the same time.
        var answers = new Task<IAnswer>[addresses.Length];
        Problem? overQuota = null;
        for (var i = 0; i < addresses.Length; i++)
        {
            var (address, team) = (addresses[i], caller.TeamFor(addresses[i].Workflow));
            request.Team ??= team;
            // If the permits are used up, do not count a refusal for each job that is left.
            var problem = team is null ? Forbid(request, caller) : overQuota ??= await TakeAsync(http, caller, team);
            answers[i] = problem is not null ? Task.FromResult<IAnswer>(problem)
                : FindAsync(http, new JobKey(team!.Account, address), team.Name, caller.Use ?? team.Use);
        }
        if (overQuota is not null && answers.All(one => one is { IsCompletedSuccessfully: true, Result: Problem }))
        {
            return overQuota;
        }
        var found = await Task.WhenAll(answers).WaitAsync(http.RequestAborted);
        var items = addresses.Zip(found, (address, answer) => new BatchItem(address, answer)).ToArray();
        return new BatchAnswer(items, JobList.WantsSummary(http), clock);
    }

    private async Task<IAnswer> FindAsync(HttpContext http, JobKey key, string team, UseCounter use)
    {
        var (lookup, isShared) = await LookUpAsync(http, key, team, use);
        lookups.LookedUp(team, lookup, isShared);
        return await AnswerAsync(ContentNegotiation.None, key, lookup, isShared);
    }

    /// <summary>Ends a request of the short path whose caller does not take all bytes at once.</summary>
    private async Task EndWhenWrittenAsync(
        HttpContext http, ValueTask writing, Team team, JobAnswer answer, RequestState? request)
    {
        try
        {
            await writing;
            Ended(http, team.Name, RequestState.Job, answer, answer.Status, request);
        }
        catch (OperationCanceledException) when (http.RequestAborted.IsCancellationRequested)
        {
            // The caller left.
        }
    }

    /// <summary>Counts a request of the full path for its key or team, and ends it.</summary>
    private void EndedInFull(HttpContext http, RequestState request, IAnswer? answer, int status)
    {
        if (answer is not JobAnswer { CallerLeft: true }) request.Use?.Answered();
        Ended(http, request.TeamName ?? "", request.Operation, answer, status, request);
    }

    /// <summary>Counts a refusal, and says that no team of the caller may read the workflow or use the route.</summary>
    private Problem Forbid(RequestState request, Caller caller)
    {
        if (caller.Teams.Length == 0) unmatched.Note(caller);
        refused.Refused(caller.LeftOut is not null ? "overage" : caller.Teams.Length == 0 ? "team"
            : request.Route is null ? "workflow" : "route");
        return request.Forbidden(caller);
    }

    private Problem Malformed(bool ofMany)
    {
        refused.Refused("identifier");
        return ofMany ? new Problem(WatchingProblems.InvalidJobs, JobList.Form)
            : new Problem(JobProblems.InvalidIdentifier, JobAddress.Form);
    }

    /// <returns>The problem if the caller's permission ended while it waited; otherwise null.</returns>
    private async ValueTask<Problem?> RecheckAsync(RequestState request)
    {
        var identity = request.Identity!;
        var refusal = await callers.RecheckAsync(identity);
        if (refusal != Refusal.None) return Challenge.For(refusal);
        // If the team uses another account now, the caller comes again.
        return identity.Caller.TeamFor(request.Address.Workflow)?.Account == request.Team!.Account
            ? null : identity.Caller.MayNotRead();
    }

    /// <summary>The steps for another operation of the upstream, which is forwarded without a cache.</summary>
    private async Task ForwardAsync(HttpContext http, ForwardedRoute route)
    {
        var request = new RequestState { Route = route };
        try
        {
            var problem = await DecideAsync(http, route, request);
            if (problem is not null) await problem.WriteAsync(http);
            EndedInFull(http, request, problem, http.Response.StatusCode);
        }
        catch (OperationCanceledException) when (http.RequestAborted.IsCancellationRequested)
        {
            // The caller left, and the upstream call was cancelled.
        }
    }

    /// <returns>Null if the upstream's answer was forwarded.</returns>
    private async ValueTask<Problem?> DecideAsync(HttpContext http, ForwardedRoute route, RequestState request)
    {
        if (!route.Template.Parameters.All(name => JobAddress.IsIdentifier(ForwardedRoute.Value(http, name))))
        {
            refused.Refused("identifier");
            return new Problem(JobProblems.InvalidIdentifier, JobAddress.Form);
        }
        request.Workflows = route.WorkflowsOf(http);
        if (await AdmitAsync(http, request) is { } refusal) return refusal;
        return await forwarder.ForwardAsync(http, route, request.Team!.Account, request.Team.Name, request.Use);
    }

    // A person who opens the address of a job has no key, and is told where to look at the job.
    private static IAnswer ForPerson(HttpContext http, IAnswer answer, string workflowId, string jobId) =>
        answer is Problem { Status: 401 or 403 } problem && ProblemPage.IsWanted(http.Request)
            ? problem with { Next = new PageLink("Look at this job", $"view/workflows/{workflowId}/jobs/{jobId}") }
            : answer;
}

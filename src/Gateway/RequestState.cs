using System.Diagnostics;
using Gateway.Callers;
using Gateway.Jobs;
using Gateway.Problems;
using Gateway.Routes;

namespace Gateway;

/// <summary>The state of a request: the job or the route, the caller, and the team.</summary>
internal sealed class RequestState
{
    public const string Job = "getJobById";

    public long Started { get; init; } = Stopwatch.GetTimestamp();

    public ActivityTraceId? TraceId { get; init; } = Activity.Current?.TraceId;

    /// <summary>The job, unless <see cref="Route"/> is set.</summary>
    public JobAddress Address { get; set; }

    public ForwardedRoute? Route { get; init; }

    /// <summary>The workflows that a request to a route names.</summary>
    public string[] Workflows { get; set; } = [];

    public string WorkflowNames => string.Join(' ', Workflows);

    public Caller? Caller { get; set; }

    /// <summary>The team that is charged.</summary>
    public Team? Team { get; set; }

    // If the caller may not read the workflow, logs and metrics name its first team.
    public string? TeamName => (Team ?? Caller?.Teams.FirstOrDefault())?.Name;

    /// <summary>The operation: <c>getJobById</c>, or the route's name in the configuration.</summary>
    public string Operation => Route?.Name ?? Job;

    public Team? TeamOf(Caller caller) =>
        Route is null ? caller.TeamFor(Address.Workflow) : caller.TeamFor(Route.Name, Workflows);

    public Problem Forbidden(Caller caller)
    {
        var (type, what) = Route is null
            ? (CallerProblems.WorkflowForbidden, "read this workflow")
            : (CallerProblems.RouteForbidden, "use this route");
        return caller.Teams switch
        {
            [] => new Problem(CallerProblems.NoTeam, "No team has any of your claims."),
            [var team] => new Problem(type, $"Team '{team.Name}' may not {what}."),
            var teams => new Problem(
                type, $"None of the teams {string.Join(", ", teams.Select(team => $"'{team.Name}'"))} may {what}."),
        };
    }
}

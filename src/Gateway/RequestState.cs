using System.Diagnostics;
using Gateway.Callers;
using Gateway.Jobs;
using Gateway.Problems;
using Gateway.Routes;
using Gateway.Telemetry;

namespace Gateway;

/// <summary>The state of a request: the job or the route, the caller, and the team.</summary>
internal sealed class RequestState
{
    /// <summary>The operations that read jobs, as the contract names them.</summary>
    public const string Job = "getJobById", Jobs = "getJobs", Stream = "getJobEvents", Streams = "getEvents";

    public long Started { get; init; } = Stopwatch.GetTimestamp();

    public ActivityTraceId? TraceId { get; init; } = Activity.Current?.TraceId;

    /// <summary>The job; the first one of several. Not set if <see cref="Route"/> is set.</summary>
    public JobAddress Address { get; set; }

    public ForwardedRoute? Route { get; init; }

    /// <summary>The workflows that a request to a route names.</summary>
    public string[] Workflows { get; set; } = [];

    public string WorkflowNames => string.Join(' ', Workflows);

    public Caller? Caller { get; set; }

    /// <summary>The caller's identity for a later check; null if the request does not last.</summary>
    public LastingIdentity? Identity { get; set; }

    /// <summary>The team that is charged.</summary>
    public Team? Team { get; set; }

    // If the caller may not read the workflow, logs and metrics name its first team.
    public string? TeamName => (Team ?? Caller?.Teams.FirstOrDefault())?.Name;

    /// <summary>Counts what the request uses; null if the caller belongs to no team.</summary>
    public UseCounter? Use => Caller?.Use ?? (Team ?? Caller?.Teams.FirstOrDefault())?.Use;

    /// <summary>The operation: one of the contract, or the route's name in the configuration.</summary>
    public string Operation
    {
        get => Route?.Name ?? field;
        init;
    } = Job;

    public Team? TeamOf(Caller caller) =>
        Route is null ? caller.TeamFor(Address.Workflow) : caller.TeamFor(Route.Name, Workflows);

    public Problem Forbidden(Caller caller) => Route is null ? caller.MayNotRead() : caller.MayNotUse();
}

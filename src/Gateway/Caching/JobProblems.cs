using Gateway.Jobs;
using Gateway.Problems;
using Gateway.Upstream;

namespace Gateway.Caching;

/// <summary>The problem types of requests for jobs.</summary>
internal static class JobProblems
{
    public static readonly ProblemType InvalidIdentifier = new("invalid-identifier", 400,
        "An identifier is malformed", "Correct workflow_id or job_id; the same request will never succeed.");

    public static readonly ProblemType NotFound = new("job-not-found", 404,
        "The upstream knows no such job", "Check both identifiers; a job created a moment ago appears within seconds.")
    { Scope = ProblemScope.Jobs };

    public static readonly ProblemType[] All =
    [
        InvalidIdentifier, NotFound,
    ];

    /// <summary>Returns the problem for a job that the upstream does not have, or may not give.</summary>
    public static Problem Absent(JobSnapshot snapshot)
    {
        var (type, detail) = snapshot.Kind switch
        {
            VerdictKind.Gone => (UpstreamProblems.Gone, "The upstream answered 410."),
            VerdictKind.Legal => (UpstreamProblems.Legal, "The upstream answered 451."),
            _ => (NotFound, "The upstream knows no such job in this workflow."),
        };
        return new Problem(type, detail) { UpstreamError = snapshot.Identity.Body };
    }
}

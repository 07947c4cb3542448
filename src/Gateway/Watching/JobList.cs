using Gateway.Jobs;
using Microsoft.Extensions.Primitives;

namespace Gateway.Watching;

/// <summary>Reads the query of a request about several jobs: <c>job=WF/JOB&amp;job=…</c>.</summary>
internal static class JobList
{
    public const int Most = 100;

    public const string Form = "Name 1 to 100 jobs, each as job={workflow_id}/{job_id}. " + JobAddress.Form;

    /// <summary>Returns the jobs in the order of the query. A job that is named twice is returned once.</summary>
    /// <param name="named">The values of the parameter <c>job</c>.</param>
    /// <returns>Null if there is no job, there are too many, or one is malformed.</returns>
    public static JobAddress[]? Parse(StringValues named)
    {
        if (named.Count is 0 or > Most) return null;
        var jobs = new List<JobAddress>(named.Count);
        foreach (var name in named)
        {
            if (name?.Split('/') is not [var workflow, var job]
                || !JobAddress.TryCreate(workflow, job, out var address)) return null;
            if (!jobs.Contains(address)) jobs.Add(address);
        }
        return [.. jobs];
    }

    /// <summary>
    /// Whether the caller prefers summaries: <c>Prefer: return=minimal</c> (RFC 7240, section 4.2), or
    /// <c>view=summary</c> for clients that cannot set a header. The response says whether the header was honoured.
    /// </summary>
    public static bool WantsSummary(HttpContext http)
    {
        if (Prefer.IsMinimal(http.Request.Headers[Prefer.Name]))
        {
            http.Response.Headers[Prefer.Applied] = "return=minimal";
            return true;
        }
        return http.Request.Query["view"] == "summary";
    }
}

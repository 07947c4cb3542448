using System.Buffers;

namespace Gateway.Jobs;

/// <summary>
/// The workflow id and job id of a job. Both are validated, so they are safe in a path, a cache key and a log line.
/// </summary>
internal readonly record struct JobAddress
{
    public const int MaxLength = 128;

    /// <summary>The route template of a job.</summary>
    public const string Route = "/v0/workflows/{workflow_id}/jobs/{job_id}";

    /// <summary>
    /// The route templates of a job's event stream, of the event stream of several jobs, and of a batch of jobs.
    /// </summary>
    public const string EventsRoute = Route + "/events", ManyEventsRoute = "/v0/events", ManyRoute = "/v0/jobs";

    private const string Prefix = "/v0/workflows/", Middle = "/jobs/";

    public const string Form =
        "An identifier is 1 to 128 characters out of A-Z a-z 0-9 . _ ~ - and neither '.' nor '..'.";

    // The unreserved characters of RFC 3986, section 2.3.
    private static readonly SearchValues<char> Unreserved =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~-");

    private JobAddress(string workflow, string job)
    {
        Workflow = workflow;
        Job = job;
    }

    public string Workflow { get; }

    public string Job { get; }

    public static bool TryCreate(string workflow, string job, out JobAddress address)
    {
        var fine = IsIdentifier(workflow) && IsIdentifier(job);
        address = fine ? new JobAddress(workflow, job) : default;
        return fine;
    }

    /// <summary>Parses the path of a job in its plain form. Routing parses all other forms.</summary>
    public static bool TryRead(ReadOnlySpan<char> path, out JobAddress address)
    {
        address = default;
        if (!path.StartsWith(Prefix, StringComparison.Ordinal)) return false;
        var rest = path[Prefix.Length..];
        var end = rest.IndexOf('/');
        if (end < 0 || !rest[end..].StartsWith(Middle, StringComparison.Ordinal)) return false;
        ReadOnlySpan<char> workflow = rest[..end], job = rest[(end + Middle.Length)..];
        var fine = IsIdentifier(workflow) && IsIdentifier(job);
        if (fine) address = new JobAddress(workflow.ToString(), job.ToString());
        return fine;
    }

    public static bool IsIdentifier(ReadOnlySpan<char> text) =>
        text.Length is > 0 and <= MaxLength && !text.ContainsAnyExcept(Unreserved) && text is not ("." or "..");

    /// <summary>
    /// Whether a path has the shape of a job's path. If such a path is not routed, one of its identifiers is empty or a
    /// dot segment, which the server has removed (RFC 3986, section 5.2.4).
    /// </summary>
    public static bool IsShapeOf(ReadOnlySpan<char> path)
    {
        if (!path.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase)) return false;
        path = path[Prefix.Length..];
        var end = path.IndexOf('/');
        return end >= 0 && path[end..].StartsWith(Middle, StringComparison.OrdinalIgnoreCase)
            && !path[(end + Middle.Length)..].Contains('/');
    }
}

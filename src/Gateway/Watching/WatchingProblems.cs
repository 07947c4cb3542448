using Gateway.Problems;

namespace Gateway.Watching;

/// <summary>The problem types of watching, and of reading several jobs at once.</summary>
internal static class WatchingProblems
{
    public static readonly ProblemType InvalidJobs = new("invalid-jobs", 400,
        "The list of jobs is malformed",
        "Name 1 to 100 jobs, each as job={workflow_id}/{job_id}; the same request will never succeed.")
    { Scope = ProblemScope.Watching };

    public static readonly ProblemType TooManyWatchers = new("too-many-watchers", 429,
        "Too many jobs are watched",
        "Close streams that nobody needs, or wait for the seconds in Retry-After; polls are still answered.")
    { Scope = ProblemScope.Watching };

    public static readonly ProblemType TooLarge = new("job-too-large", 400,
        "The job is too large for this operation",
        "Use view=summary, or read the job alone.")
    { Scope = ProblemScope.Watching };

    public static readonly ProblemType[] All = [InvalidJobs, TooManyWatchers, TooLarge];
}

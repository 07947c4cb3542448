using Gateway.Problems;

namespace Gateway.Admin;

/// <summary>The problem types of operations for operators.</summary>
internal static class AdminProblems
{
    public static readonly ProblemType PurgeIncomplete = new("purge-incomplete", 503,
        "The purge is not complete", "Repeat the purge when Redis is back; a purge may be repeated at any time.")
    { Scope = ProblemScope.None };

    public static readonly ProblemType[] All =
    [
        PurgeIncomplete,
    ];
}

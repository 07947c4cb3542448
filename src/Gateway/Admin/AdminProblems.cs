using Gateway.Problems;

namespace Gateway.Admin;

/// <summary>What operators are told.</summary>
internal static class AdminProblems
{
    public static readonly ProblemType PurgeIncomplete = new("purge-incomplete", 503,
        "The purge is not complete", "Repeat it when Redis is back; a purge may be repeated at any time.")
    { Scope = ProblemScope.None };

    public static readonly ProblemType[] All =
    [
        PurgeIncomplete,
    ];
}

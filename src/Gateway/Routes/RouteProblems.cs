using Gateway.Problems;

namespace Gateway.Routes;

/// <summary>The problem that only routes have.</summary>
internal static class RouteProblems
{
    public static readonly ProblemType RangeNotSatisfiable = new("range-not-satisfiable", 416,
        "The resource does not have the range", "Ask for bytes before the size that Content-Range states.")
    { Scope = ProblemScope.Routes };

    public static readonly ProblemType[] All = [RangeNotSatisfiable];
}

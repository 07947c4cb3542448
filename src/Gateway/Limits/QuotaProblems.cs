using Gateway.Problems;

namespace Gateway.Limits;

/// <summary>The problem type of a used-up quota.</summary>
internal static class QuotaProblems
{
    public static readonly ProblemType QuotaExceeded = new("quota-exceeded", 429,
        "Your team's quota is used up", "Wait for the seconds in Retry-After.",
        "https://iana.org/assignments/http-problem-types#quota-exceeded");

    public static readonly ProblemType[] All =
    [
        QuotaExceeded,
    ];
}

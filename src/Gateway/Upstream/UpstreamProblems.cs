using Gateway.Jobs;
using Gateway.Problems;

namespace Gateway.Upstream;

/// <summary>The problems that callers get if the upstream does not return what they asked for.</summary>
internal static class UpstreamProblems
{
    public static readonly ProblemType BadRequest = new("upstream-bad-request", 400,
        "The upstream did not understand the request",
        "See error, which is the upstream's; the same request will never succeed.");

    public static readonly ProblemType Forbidden = new("upstream-forbidden", 403,
        "The upstream refused access",
        "See error, which is the upstream's; tell the gateway's operators if you expected access.");

    public static readonly ProblemType NotFound = new("upstream-not-found", 404,
        "The upstream does not know the resource", "Check the identifiers in the path.")
    { Scope = ProblemScope.Routes };

    public static readonly ProblemType Gone = new("upstream-gone", 410,
        "The upstream no longer has the resource", "Do not ask again; the resource will not come back.");

    public static readonly ProblemType Legal = new("upstream-legal", 451,
        "The upstream withholds the resource for legal reasons",
        "Do not ask again; see error, which is the upstream's.");

    public static readonly ProblemType Invalid = new("upstream-invalid", 502,
        "The upstream's answer cannot be used",
        "Try again later; tell the gateway's operators the traceId if it lasts.");

    public static readonly ProblemType CredentialRefused = new("upstream-credential-refused", 503,
        "The upstream refused the gateway's own credential", "Tell the gateway's operators; your key is fine.");

    public static readonly ProblemType Failed = new("upstream-failed", 502,
        "The upstream failed", "Try again later.");

    public static readonly ProblemType Busy = new("upstream-busy", 503,
        "The upstream asks to slow down", "Wait for the seconds in Retry-After.",
        "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity");

    public static readonly ProblemType BudgetExhausted = new("upstream-budget-exhausted", 503,
        "The gateway may not ask the upstream more often", "Wait for the seconds in Retry-After.");

    public static readonly ProblemType Unavailable = new("upstream-unavailable", 503,
        "The upstream is unavailable", "Wait for the seconds in Retry-After.");

    public static readonly ProblemType Timeout = new("upstream-timeout", 504,
        "The upstream did not answer in time", "Try again later.");

    public static readonly ProblemType NoRoom = new("no-room", 503,
        "The gateway has no memory for another large job at present", "Wait for the seconds in Retry-After.");

    public static readonly ProblemType[] All =
    [
        NoRoom, BadRequest, Forbidden, NotFound, Gone, Legal, Invalid, CredentialRefused, Failed, Busy,
        BudgetExhausted, Unavailable, Timeout,
    ];

    /// <summary>The problem for an answer that was classified.</summary>
    public static Problem Of(in Verdict verdict, in UpstreamAnswer answer)
    {
        var (type, detail) = verdict.Kind switch
        {
            VerdictKind.NotFound => (NotFound, "The upstream answered 404."),
            VerdictKind.BadRequest => (BadRequest, "The upstream answered 400."),
            VerdictKind.Forbidden => (Forbidden, $"The upstream answered {(answer.Status == 401 ? 401 : 403)}."),
            VerdictKind.Gone => (Gone, "The upstream answered 410."),
            VerdictKind.Legal => (Legal, "The upstream answered 451."),
            VerdictKind.CredentialRefused =>
                (CredentialRefused, $"The upstream does not accept the gateway's credential ({verdict.Detail})."),
            VerdictKind.Invalid => (Invalid, $"The upstream's answer cannot be used ({verdict.Detail})."),
            VerdictKind.Busy => (Busy, "The upstream answered 429 to the gateway."),
            VerdictKind.OverBudget => (BudgetExhausted, "The account's budget allows no call now."),
            VerdictKind.NoRoom => (NoRoom, "Too many large jobs are under way."),
            VerdictKind.Unavailable => (Unavailable, $"The upstream is unavailable ({verdict.Detail})."),
            VerdictKind.TimedOut => (Timeout, $"The upstream did not answer in time ({verdict.Detail})."),
            VerdictKind.GatewayFailed =>
                (ProblemType.InternalError, "The gateway failed while it fetched the job."),
            _ => (Failed, $"The upstream failed ({verdict.Detail})."),
        };
        return new Problem(type, detail)
        {
            // A body of any other status is not an error object. Callers must not see it.
            UpstreamError = verdict.IsAbsent || verdict.Kind is VerdictKind.BadRequest or VerdictKind.Forbidden
                ? answer.Body : [],
            RetryAfter = type.Status == StatusCodes.Status503ServiceUnavailable
                ? answer.RetryAfter ?? CircuitBreaker.BreakDuration : null,
        };
    }
}

using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Gateway.Jobs;
using Gateway.Limits;
using Gateway.Upstream;
using Microsoft.AspNetCore.Mvc;

namespace Gateway.Operations;

/// <summary>An error, answered as <c>application/problem+json</c> (RFC 9457).</summary>
internal sealed record Problem(ProblemType Type, string Detail) : IAnswer
{
    private static readonly (ProblemType Type, string Detail) Gone = (ProblemType.UpstreamGone, "The upstream answered 410."),
        Legal = (ProblemType.UpstreamLegal, "The upstream answered 451.");

    public int Status => Type.Status;

    /// <summary>When to come back; sent with 429 and 503.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>The quotas that refused, of <c>quota-exceeded</c>.</summary>
    public string[]? ViolatedPolicies { get; init; }

    /// <summary>The upstream's own error object, as JSON, or nothing.</summary>
    public ReadOnlyMemory<byte> UpstreamError { get; init; }

    /// <summary>The value of <c>Cache-Status</c>, where the cache was asked.</summary>
    public string? CacheStatus { get; init; }

    /// <summary>Seconds since the upstream said so, where it comes from cache.</summary>
    public TimeSpan? Age { get; init; }

    /// <summary>The value of <c>WWW-Authenticate</c>, of 401.</summary>
    public string? Challenge { get; init; }

    /// <summary>Describes a job that the upstream does not have or may not give, just now or a moment ago.</summary>
    public static Problem Absent(JobSnapshot snapshot)
    {
        var (type, detail) = snapshot.Kind switch
        {
            VerdictKind.Gone => Gone,
            VerdictKind.Legal => Legal,
            _ => (ProblemType.JobNotFound, "The upstream knows no such job in this workflow."),
        };
        return new Problem(type, detail) { UpstreamError = snapshot.Identity.Body };
    }

    /// <summary>What a caller is told when the upstream said something other than a job.</summary>
    public static Problem FromUpstream(in Verdict verdict, in UpstreamAnswer answer)
    {
        var (type, detail) = verdict.Kind switch
        {
            VerdictKind.NotFound => (ProblemType.UpstreamNotFound, "The upstream answered 404."),
            VerdictKind.BadRequest => (ProblemType.UpstreamBadRequest, "The upstream answered 400."),
            VerdictKind.Forbidden => (ProblemType.UpstreamForbidden, $"The upstream answered {(answer.Status == 401 ? 401 : 403)}."),
            VerdictKind.Gone => Gone,
            VerdictKind.Legal => Legal,
            VerdictKind.CredentialRefused => (ProblemType.UpstreamCredentialRefused, $"The upstream does not take the gateway's credential ({verdict.Detail})."),
            VerdictKind.Invalid => (ProblemType.UpstreamInvalid, $"The upstream's answer cannot be used ({verdict.Detail})."),
            VerdictKind.Busy => (ProblemType.UpstreamBusy, "The upstream answered 429 to the gateway."),
            VerdictKind.OverBudget => (ProblemType.UpstreamBudgetExhausted, "What the gateway may ask of the upstream is used up for now."),
            VerdictKind.NoRoom => (ProblemType.NoRoom, "Too many large jobs are under way."),
            VerdictKind.Unavailable => (ProblemType.UpstreamUnavailable, $"The upstream is unavailable ({verdict.Detail})."),
            VerdictKind.TimedOut => (ProblemType.UpstreamTimeout, $"The upstream did not answer in time ({verdict.Detail})."),
            VerdictKind.GatewayFailed =>
                (ProblemType.InternalError, "The gateway could not fetch the job, for a reason of its own."),
            _ => (ProblemType.UpstreamFailed, $"The upstream failed ({verdict.Detail})."),
        };
        return new Problem(type, detail)
        {
            // Of any other status the body is not an error object, and nobody's to see.
            UpstreamError = verdict.IsAbsent || verdict.Kind is VerdictKind.BadRequest or VerdictKind.Forbidden ? answer.Body : [],
            RetryAfter = type.Status == StatusCodes.Status503ServiceUnavailable
                ? answer.RetryAfter ?? Circuit.BreakDuration
                : null,
        };
    }

    public async ValueTask WriteAsync(HttpContext http)
    {
        var headers = http.Response.Headers;
        http.Response.StatusCode = Status;
        headers.CacheControl = "no-store";
        headers.Vary = Answers.Vary;
        if (RetryAfter is { } time) headers.RetryAfter = RateLimitFields.Seconds(time).ToString(CultureInfo.InvariantCulture);
        if (CacheStatus is not null) headers["Cache-Status"] = CacheStatus;
        if (Age is { } age) headers.Age = Math.Max(0, (long)age.TotalSeconds).ToString(CultureInfo.InvariantCulture);
        if (Challenge is not null) headers.WWWAuthenticate = Challenge;
        await http.Response.WriteAsJsonAsync(Body(), options: null, "application/problem+json", http.RequestAborted);
    }

    private ProblemDetails Body()
    {
        var body = new ProblemDetails { Type = Type.Uri, Title = Type.Title, Status = Status, Detail = Detail };
        if (Activity.Current is { } activity) body.Extensions["traceId"] = activity.TraceId.ToHexString();
        if (ViolatedPolicies is not null) body.Extensions["violated-policies"] = ViolatedPolicies;
        if (!UpstreamError.IsEmpty) body.Extensions["error"] = JsonElement.Parse(UpstreamError.Span);
        return body;
    }
}

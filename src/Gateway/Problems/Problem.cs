using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.Mvc;

namespace Gateway.Problems;

/// <summary>An error, answered as <c>application/problem+json</c> (RFC 9457).</summary>
internal sealed record Problem(ProblemType Type, string Detail) : IAnswer
{
    public int Status => Type.Status;

    /// <summary>The time after which the caller may try again; sent with 429 and 503.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>The quotas that refused the request, for <c>quota-exceeded</c>.</summary>
    public string[]? ViolatedPolicies { get; init; }

    /// <summary>The upstream's error object as JSON; empty if there is none.</summary>
    public ReadOnlyMemory<byte> UpstreamError { get; init; }

    /// <summary>The value of <c>Cache-Status</c>; null if the request did not reach the cache.</summary>
    public string? CacheStatus { get; init; }

    /// <summary>The age of the upstream's answer; null if it does not come from the cache.</summary>
    public TimeSpan? Age { get; init; }

    /// <summary>The value of <c>WWW-Authenticate</c>, for 401.</summary>
    public string? Challenge { get; init; }

    /// <summary>
    /// What a person can do next, for the page that a browser shows; null: only what the type advises.
    /// </summary>
    public PageLink? Next { get; init; }

    public async ValueTask WriteAsync(HttpContext http)
    {
        var headers = http.Response.Headers;
        http.Response.StatusCode = Status;
        headers.CacheControl = "no-store";
        headers.Vary = Answers.VaryOfProblems;
        if (RetryAfter is { } time) headers.RetryAfter = Seconds(time).ToString(CultureInfo.InvariantCulture);
        if (CacheStatus is not null) headers["Cache-Status"] = CacheStatus;
        if (Age is { } age) headers.Age = Math.Max(0, (long)age.TotalSeconds).ToString(CultureInfo.InvariantCulture);
        if (Challenge is not null) headers.WWWAuthenticate = Challenge;
        if (ProblemPage.IsWanted(http.Request))
        {
            await ProblemPage.WriteAsync(http, this, Next, Activity.Current?.TraceId.ToHexString());
            return;
        }
        await http.Response.WriteAsJsonAsync(Body(), options: null, "application/problem+json", http.RequestAborted);
    }

    /// <summary>Whole seconds, rounded up and at least 1.</summary>
    private static int Seconds(TimeSpan time) => Math.Max(1, (int)Math.Ceiling(time.TotalSeconds));

    /// <summary>The problem as the object that is sent.</summary>
    public ProblemDetails Body()
    {
        var body = new ProblemDetails { Type = Type.Uri, Title = Type.Title, Status = Status, Detail = Detail };
        if (Activity.Current is { } activity) body.Extensions["traceId"] = activity.TraceId.ToHexString();
        if (ViolatedPolicies is not null) body.Extensions["violated-policies"] = ViolatedPolicies;
        if (!UpstreamError.IsEmpty) body.Extensions["error"] = JsonElement.Parse(UpstreamError.Span);
        return body;
    }
}

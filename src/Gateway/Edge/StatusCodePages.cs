using Gateway.Caching;
using Gateway.Jobs;
using Gateway.Problems;
using Microsoft.AspNetCore.Diagnostics;

namespace Gateway.Edge;

/// <summary>
/// Writes a problem for each error that the framework answers without a body, and for unhandled exceptions.
/// </summary>
internal static class StatusCodePages
{
    private static readonly PageLink Start = new("Go to the start page", "");

    public static async Task WriteAsync(StatusCodeContext context)
    {
        var http = context.HttpContext;
        await For(http).WriteAsync(http);
    }

    public static async Task WriteFailureAsync(HttpContext http)
    {
        // The framework has removed all headers.
        SecurityHeaders.Set(http.Response.Headers);
        await new Problem(ProblemType.InternalError, "The gateway failed to answer; its log contains the reason.")
            .WriteAsync(http);
    }

    private static Problem For(HttpContext http)
    {
        switch (http.Response.StatusCode)
        {
            case 404 when JobAddress.IsShapeOf(RequestTarget.PathOf(http)):
                return new Problem(JobProblems.InvalidIdentifier, JobAddress.Form);
            case 404:
                return new Problem(ProblemType.NotFound, "No operation has this path.") { Next = Start };
            case 405:
                return new Problem(
                    ProblemType.MethodNotAllowed, $"This operation only allows {http.Response.Headers.Allow}.")
                {
                    Next = Start,
                };
            case >= 500:
                return new Problem(ProblemType.InternalError, "The gateway failed to answer.");
            default:
                return new Problem(
                    ProblemType.BadRequest with { Status = http.Response.StatusCode },
                    "The request cannot be answered.");
        }
    }
}

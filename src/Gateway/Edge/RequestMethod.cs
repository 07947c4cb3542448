using System.Collections.Frozen;
using Gateway.Problems;

namespace Gateway.Edge;

/// <summary>
/// Methods are case-sensitive (RFC 9110, section 9.1), but the framework's routing takes <c>get</c> for GET. A method
/// that the gateway knows nowhere, such as that one, is answered 501; one that it knows, and that the operation does
/// not have, 405.
/// </summary>
internal static class RequestMethod
{
    private static readonly FrozenSet<string> Known = FrozenSet.ToFrozenSet(
        ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"], StringComparer.Ordinal);

    public static void UseMethods(this IApplicationBuilder app) => app.Use((http, next) =>
    {
        if (Known.Contains(http.Request.Method)) return next(http);
        var problem = new Problem(ProblemType.NotImplemented, "Methods are case-sensitive, and this one is not known.");
        return problem.WriteAsync(http).AsTask();
    });
}

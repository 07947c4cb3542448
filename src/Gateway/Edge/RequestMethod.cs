using System.Collections.Frozen;
using Gateway.Problems;

namespace Gateway.Edge;

/// <summary>
/// Refuses unknown methods. Methods are case-sensitive (RFC 9110, section 9.1), but the framework's routing takes
/// <c>get</c> for GET. An unknown method, such as <c>get</c>, is answered with 501. A known method that the operation
/// does not have is answered with 405.
/// </summary>
internal static class RequestMethod
{
    private static readonly FrozenSet<string> Known = FrozenSet.ToFrozenSet(
        ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"], StringComparer.Ordinal);

    public static void UseMethods(this IApplicationBuilder app) => app.Use((http, next) =>
    {
        if (Known.Contains(http.Request.Method)) return next(http);
        var problem = new Problem(ProblemType.NotImplemented, "The method is unknown. Methods are case-sensitive.");
        return problem.WriteAsync(http).AsTask();
    });
}

using Microsoft.Net.Http.Headers;

namespace Simulator;

/// <summary>Finds parts of a request that a gateway must not send to the documented operation.</summary>
internal static class Etiquette
{
    private static readonly string[] Private = [HeaderNames.Cookie, "X-Api-Key", "Forwarded"];

    /// <summary>One line for each violation, such as <c>GET /v0/workflows/w/jobs/j (header Cookie)</c>.</summary>
    public static IEnumerable<string> Objections(HttpRequest request)
    {
        if (!HttpMethods.IsGet(request.Method))
            yield return $"{request.Method} {request.Path}";
        if (request.QueryString.HasValue)
            yield return $"{request.Method} {request.Path}{request.QueryString}";
        foreach (string name in request.Headers.Keys.Where(MustNotPass))
            yield return $"{request.Method} {request.Path} (header {name})";
    }

    /// <summary>The request's headers by name, without the credential.</summary>
    public static Dictionary<string, string> Headers(HttpRequest request) => request.Headers
        .Where(header => !header.Key.Equals(HeaderNames.Authorization, StringComparison.OrdinalIgnoreCase))
        .ToDictionary(header => header.Key, header => header.Value.ToString(), StringComparer.OrdinalIgnoreCase);

    private static bool MustNotPass(string name) =>
        Private.Contains(name, StringComparer.OrdinalIgnoreCase)
        || name.StartsWith("X-Forwarded-", StringComparison.OrdinalIgnoreCase);
}

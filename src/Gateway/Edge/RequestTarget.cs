using Microsoft.AspNetCore.Http.Features;

namespace Gateway.Edge;

/// <summary>The path as the client sent it, before the server normalised it.</summary>
internal static class RequestTarget
{
    /// <summary>Returns the path without the path base and without the query.</summary>
    public static ReadOnlySpan<char> PathOf(HttpContext http)
    {
        ReadOnlySpan<char> target = http.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;
        var query = target.IndexOf('?');
        var path = query < 0 ? target : target[..query];
        var start = http.Request.PathBase.Value;
        return start is { Length: > 0 } && path.StartsWith(start, StringComparison.OrdinalIgnoreCase)
            ? path[start.Length..] : path;
    }
}

using System.Buffers;
using Gateway.Problems;

namespace Gateway.Callers.Sessions;

/// <summary>
/// Checks the address that a browser is sent to after a login or a logout: only a path of this host or an address on an
/// allowed origin (RFC 9700, section 4.11).
/// </summary>
internal static class ReturnUrl
{
    public const int MaxLength = 1024;

    private const string Form = "returnUrl is a path of this host that begins with one '/', "
        + "or an address on an origin of Cors:AllowedOrigins.";

    // Browsers read '\' as '/', and remove tabs and line ends.
    private static readonly SearchValues<char> Plain =
        SearchValues.Create([.. Enumerable.Range('!', '~' - '!' + 1).Select(c => (char)c).Where(c => c != '\\')]);

    public static Problem NotAllowed => new(CallerProblems.InvalidReturnUrl, Form);

    /// <summary>The root of the gateway: the path base, with a slash at the end.</summary>
    public static string Root(HttpContext http) => $"{http.Request.PathBase}/";

    /// <param name="text">The requested address; empty means the root.</param>
    /// <param name="root">The path base, with a slash at the end.</param>
    /// <returns>The address, or null if it is not allowed.</returns>
    public static string? Check(string? text, string root, OriginOptions cors)
    {
        if (string.IsNullOrEmpty(text)) return root;
        if (text.Length > MaxLength || text.AsSpan().ContainsAnyExcept(Plain)) return null;
        if (text[0] == '/') return text.Length > 1 && text[1] == '/' ? null : text;
        return Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https"
            && uri.UserInfo.Length == 0 && cors.Allow(OriginOptions.OriginOf(uri))
            ? uri.AbsoluteUri
            : null;
    }
}

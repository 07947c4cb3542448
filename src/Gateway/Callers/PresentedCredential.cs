using System.Buffers;
using Microsoft.Extensions.Primitives;

namespace Gateway.Callers;

/// <summary>The kind of credential that a request carries.</summary>
internal enum Presented
{
    Nothing,

    /// <summary>A gateway key.</summary>
    Key,

    /// <summary>A bearer token, which may be a gateway key or a JWT.</summary>
    Bearer,

    /// <summary>A session cookie.</summary>
    Session,

    /// <summary>
    /// More than one credential, or one header twice. The gateway refuses them rather than picking one.
    /// </summary>
    Ambiguous,

    /// <summary>A value that no credential can have.</summary>
    Malformed,
}

/// <summary>
/// Finds the credential of a request, which must carry exactly one. Two credentials are refused even if they are the
/// same. A value with a comma is also refused, because intermediaries join repeated fields with a comma (RFC 9110,
/// section 5.3).
/// </summary>
internal static class PresentedCredential
{
    private const string Bearer = "Bearer";

    private static readonly SearchValues<char> Visible =
        SearchValues.Create([.. Enumerable.Range(' ', '~' - ' ' + 1).Select(c => (char)c)]);

    /// <summary>
    /// Finds the one credential: <c>X-Api-Key: k</c>, <c>Authorization: k</c>, <c>Authorization: Bearer k</c> (RFC
    /// 6750, section 2.1; the scheme in any case), or a cookie.
    /// </summary>
    /// <param name="cookie">The name of the session cookie; null if sessions are not configured.</param>
    /// <param name="value">The key, the token or the session id.</param>
    public static Presented Find(IHeaderDictionary headers, string? cookie, out ReadOnlySpan<char> value)
    {
        value = default;
        StringValues own = headers["X-Api-Key"], authorization = headers.Authorization;
        var sessions = cookie is null || headers.Cookie.Count == 0
            ? 0 : Cookies.Find(headers.Cookie, cookie, out value);
        var count = own.Count + authorization.Count + sessions;
        if (count == 0) return Presented.Nothing;
        if (count > 1)
        {
            value = default;
            return Presented.Ambiguous;
        }
        if (sessions == 1) return Presented.Session;

        var kind = Presented.Key;
        var text = (own.Count == 1 ? own[0] : authorization[0]).AsSpan().Trim(' ');
        if (own.Count == 0 && text.StartsWith(Bearer, StringComparison.OrdinalIgnoreCase)
            && (text.Length == Bearer.Length || text[Bearer.Length] == ' '))
        {
            text = text[Bearer.Length..].TrimStart(' ');
            kind = Presented.Bearer;
        }
        if (text.IsEmpty) return Presented.Nothing;
        if (text.ContainsAnyExcept(Visible)) return Presented.Malformed;
        if (text.Contains(',')) return Presented.Ambiguous;
        value = text;
        return kind;
    }
}

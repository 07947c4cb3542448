using System.Buffers;
using Microsoft.Extensions.Primitives;

namespace Gateway.Callers;

/// <summary>What a request carries to say who is asking.</summary>
internal enum Presented
{
    Nothing,

    /// <summary>A gateway key.</summary>
    Key,

    /// <summary>What came as a bearer token, which may be a gateway key or a JWT.</summary>
    Bearer,

    /// <summary>A session cookie.</summary>
    Session,

    /// <summary>More than one credential, or one header twice: a guess would be somebody's surprise.</summary>
    Ambiguous,

    /// <summary>A credential in no form that any could have.</summary>
    Malformed,
}

/// <summary>
/// The rule of precedence, which is that there is none: a request carries one credential, in one place, once. Two of
/// them are refused even where they agree, and so is a value with a comma, for intermediaries join repeated fields with
/// one (RFC 9110, section 5.3).
/// </summary>
internal static class PresentedCredential
{
    /// <summary>The longest value that is looked at, in characters; JWTs are the longest.</summary>
    public const int MaxLength = 8 * 1024;

    private const string Bearer = "Bearer";

    private static readonly SearchValues<char> Visible =
        SearchValues.Create([.. Enumerable.Range(' ', '~' - ' ' + 1).Select(c => (char)c)]);

    /// <summary>
    /// Finds the one credential: <c>X-Api-Key: k</c>, <c>Authorization: k</c>, <c>Authorization: Bearer k</c> (RFC
    /// 6750, section 2.1; the scheme in any case), or a cookie.
    /// </summary>
    /// <param name="cookie">The name of the session cookie; null: there are no sessions.</param>
    /// <param name="value">The key, token or session.</param>
    public static Presented Find(IHeaderDictionary headers, string? cookie, out ReadOnlySpan<char> value)
    {
        value = default;
        StringValues own = headers["X-Api-Key"], authorization = headers.Authorization;
        var sessions = cookie is null || headers.Cookie.Count == 0 ? 0 : Cookies.Find(headers.Cookie, cookie, out value);
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
        if (text.Length > MaxLength || text.ContainsAnyExcept(Visible)) return Presented.Malformed;
        if (text.Contains(',')) return Presented.Ambiguous;
        value = text;
        return kind;
    }
}

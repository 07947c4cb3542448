using System.Buffers.Text;
using System.Security.Cryptography;

namespace Gateway.Callers.Sessions;

/// <summary>
/// The one cookie of all logins of a browser. It binds the state of a login to the browser that began the login
/// (RFC 6749, section 10.12), and names the session that the browser's last login began. It is sent with the provider's
/// response, which comes from another site, and the session cookie is not. The value opens nothing by itself.
/// </summary>
/// <param name="Browser">32 random bytes in base64url.</param>
/// <param name="Session">The hash of the session's id; null if the browser has none.</param>
internal readonly record struct LoginCookie(string Browser, KeyHash? Session)
{
    public const string Name = "__Host-Http-gateway-login";

    /// <summary>How long a login may take.</summary>
    public static readonly TimeSpan LongestLogin = TimeSpan.FromMinutes(15);

    private const int BrowserLength = 43;

    private static readonly CookieOptions Options = new()
    {
        Path = "/",
        Secure = true,
        HttpOnly = true,
        SameSite = SameSiteMode.Lax,
        IsEssential = true,
    };

    public static LoginCookie New() =>
        new(Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32)), Session: null);

    /// <returns>Null if the request has no such cookie, or one that the gateway did not make.</returns>
    public static LoginCookie? Read(HttpRequest request)
    {
        if (Cookies.Find(request.Headers.Cookie, Name, out var value) != 1) return null;
        if (value.Length < BrowserLength || !Base64Url.IsValid(value[..BrowserLength])) return null;
        var browser = value[..BrowserLength].ToString();
        if (value.Length == BrowserLength) return new(browser, Session: null);
        return value[BrowserLength] == '.' && KeyHash.TryParse(value[(BrowserLength + 1)..].ToString(), out var session)
            ? new(browser, session) : null;
    }

    // With a session, the browser deletes the cookie together with the session cookie, when it closes.
    public void Write(HttpResponse response) => response.Cookies.Append(
        Name, Session is { } session ? $"{Browser}.{session}" : Browser,
        new(Options) { MaxAge = Session is null ? LongestLogin : null });
}

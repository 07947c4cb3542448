namespace Gateway.Callers.Sessions;

/// <summary>
/// The session cookie, which holds a value of <see cref="SessionIds"/>. Because of its prefix, browsers accept it only
/// from this host, over https, in a response and not from a script, for all paths of the host
/// (draft-ietf-httpbis-layered-cookies).
/// </summary>
internal static class SessionCookie
{
    public const string Name = "__Host-Http-gateway";

    private static readonly CookieOptions Options = new()
    {
        Path = "/",
        Secure = true,
        HttpOnly = true,
        SameSite = SameSiteMode.Strict,
        IsEssential = true,
    };

    // Without an expiry date, the browser deletes the cookie when it closes. The server limits the session's lifetime.
    public static void Set(HttpResponse response, string id) => response.Cookies.Append(Name, id, Options);

    public static void Remove(HttpResponse response) => response.Cookies.Delete(Name, Options);
}

namespace Gateway.Callers.Sessions;

/// <summary>
/// The cookie that stands for a session: a value of <see cref="SessionIds"/>, and nothing else. Its prefix makes
/// browsers insist that this host set it, over https, in a response and not by script, for the whole of the host
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

    // Without a date the browser forgets it when it is closed; the server knows how long the session lasts.
    public static void Set(HttpResponse response, string id) => response.Cookies.Append(Name, id, Options);

    public static void Remove(HttpResponse response) => response.Cookies.Delete(Name, Options);
}

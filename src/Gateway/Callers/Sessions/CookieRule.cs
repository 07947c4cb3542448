namespace Gateway.Callers.Sessions;

/// <summary>
/// Browsers send cookies by themselves, so a cookie counts only beside a header that they never send by themselves, and
/// that no page of another origin may add without being asked (RFC 10017, section 6.1.3.3).
/// </summary>
internal static class CookieRule
{
    public const string Header = "X-CSRF", Value = "1";

    /// <returns>Why the cookie does not count.</returns>
    public static Refusal Check(HttpRequest request, OriginOptions cors)
    {
        if (request.Headers[Header] is not [Value]) return Refusal.CsrfHeaderMissing;
        if (request.Headers.Origin is not [{ } origin]) return request.Headers.Origin.Count == 0 ? Refusal.None : Refusal.ForeignOrigin;
        return cors.Allow(origin) || IsOwn(request, origin) ? Refusal.None : Refusal.ForeignOrigin;
    }

    private static bool IsOwn(HttpRequest request, string origin) =>
        Uri.TryCreate(origin, UriKind.Absolute, out var uri) && uri.Scheme == request.Scheme
        && uri.Authority.Equals(WithoutDefaultPort(request), StringComparison.OrdinalIgnoreCase);

    private static string WithoutDefaultPort(HttpRequest request) =>
        request.Host.Port == (request.IsHttps ? 443 : 80) ? request.Host.Host : request.Host.Value ?? "";
}

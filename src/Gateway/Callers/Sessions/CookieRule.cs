namespace Gateway.Callers.Sessions;

/// <summary>
/// Protects against cross-site request forgery. Browsers send cookies on their own, so the gateway accepts the cookie
/// only together with a header that they never send on their own, and that a page of another origin can add only after
/// a preflight request (RFC 10017, section 6.1.3.3).
/// </summary>
internal static class CookieRule
{
    public const string Header = "X-CSRF", Value = "1";

    /// <param name="isEventStream">
    /// Whether the request opens an event stream. It then may say <c>Sec-Fetch-Site: same-origin</c> instead (Fetch
    /// Metadata, section 2.4), a header that no page can set.
    /// </param>
    /// <returns>Why the cookie is refused, or <see cref="Refusal.None"/>.</returns>
    public static Refusal Check(HttpRequest request, OriginOptions cors, bool isEventStream)
    {
        var isOwnPage = isEventStream && request.Headers["Sec-Fetch-Site"] is ["same-origin"];
        if (!isOwnPage && request.Headers[Header] is not [Value]) return Refusal.CsrfHeaderMissing;
        if (request.Headers.Origin.Count == 0) return Refusal.None;
        if (request.Headers.Origin is not [{ } origin]) return Refusal.ForeignOrigin;
        return cors.Allow(origin) || IsOwn(request, origin) ? Refusal.None : Refusal.ForeignOrigin;
    }

    private static bool IsOwn(HttpRequest request, string origin) =>
        Uri.TryCreate(origin, UriKind.Absolute, out var uri) && uri.Scheme == request.Scheme
        && uri.Authority.Equals(WithoutDefaultPort(request), StringComparison.OrdinalIgnoreCase);

    private static string WithoutDefaultPort(HttpRequest request) =>
        request.Host.Port == (request.IsHttps ? 443 : 80) ? request.Host.Host : request.Host.Value ?? "";
}

using Microsoft.Extensions.Primitives;

namespace Gateway.Edge;

/// <summary>
/// The security headers of all responses. They also protect a response that a browser opens as a document.
/// </summary>
internal static class SecurityHeaders
{
    private static readonly StringValues NoSniff = "nosniff", NoReferrer = "no-referrer", SameOrigin = "same-origin";

    // A response loads nothing, runs nothing, and is shown in no frame.
    private static readonly StringValues NothingAtAll =
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

    // The contract page has scripts and styles, and calls the gateway.
    private static readonly StringValues OwnOnly =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        + "frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

    // The viewer shows untrusted text. The browser also refuses to turn text into elements (Trusted Types).
    private static readonly StringValues OwnWithoutMarkup =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        + "frame-ancestors 'none'; base-uri 'none'; form-action 'none'; "
        + "require-trusted-types-for 'script'; trusted-types 'none'";

    public static void UseSecurityHeaders(this WebApplication app) => app.Use((http, next) =>
    {
        Set(http.Response.Headers);
        return next(http);
    });

    /// <summary>Allows a page of the gateway to load its own scripts and styles.</summary>
    public static void AllowOwn(IHeaderDictionary headers) => headers.ContentSecurityPolicy = OwnOnly;

    /// <summary>Allows a page the same, but not to create elements from text.</summary>
    public static void AllowOwnWithoutMarkup(IHeaderDictionary headers) =>
        headers.ContentSecurityPolicy = OwnWithoutMarkup;

    public static void Set(IHeaderDictionary headers)
    {
        headers.XContentTypeOptions = NoSniff;
        headers.ContentSecurityPolicy = NothingAtAll;
        headers["Referrer-Policy"] = NoReferrer;
        // This header does not affect CORS requests, which pages of allowed origins send.
        headers["Cross-Origin-Resource-Policy"] = SameOrigin;
    }
}

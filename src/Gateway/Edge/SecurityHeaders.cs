using Microsoft.Extensions.Primitives;

namespace Gateway.Edge;

/// <summary>
/// What browsers are told not to do with an answer, whatever it is: anything may end up in an address bar.
/// </summary>
internal static class SecurityHeaders
{
    private static readonly StringValues NoSniff = "nosniff", NoReferrer = "no-referrer", SameOrigin = "same-origin";

    // An answer loads nothing, runs nothing, and is shown in no frame.
    private static readonly StringValues NothingAtAll = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

    // The page of the contract has its own scripts and styles, and asks this host.
    private static readonly StringValues OwnOnly =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        + "frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

    public static void UseSecurityHeaders(this WebApplication app) => app.Use((http, next) =>
    {
        Set(http.Response.Headers);
        return next(http);
    });

    /// <summary>Lets a page of the gateway's own have its scripts and styles.</summary>
    public static void AllowOwn(IHeaderDictionary headers) => headers.ContentSecurityPolicy = OwnOnly;

    public static void Set(IHeaderDictionary headers)
    {
        headers.XContentTypeOptions = NoSniff;
        headers.ContentSecurityPolicy = NothingAtAll;
        headers["Referrer-Policy"] = NoReferrer;
        // Pages of allowed origins ask by CORS, which this does not concern.
        headers["Cross-Origin-Resource-Policy"] = SameOrigin;
    }
}

namespace Gateway.Problems;

/// <summary>
/// A problem type of the gateway (RFC 9457). Each feature defines its own types; this class defines those of HTTP.
/// </summary>
/// <param name="Slug">The name. The gateway describes the type at <c>/problems/{slug}</c>.</param>
/// <param name="Status">The HTTP status.</param>
/// <param name="Title">The title, the same for each occurrence.</param>
/// <param name="Advice">The advice for the client.</param>
/// <param name="RegisteredType">The URI of a registered type, if one fits.</param>
internal sealed record ProblemType(string Slug, int Status, string Title, string Advice, string? RegisteredType = null)
{
    public static readonly ProblemType BadRequest = new("bad-request", 400,
        "The request is malformed", "Correct the request; the same one will never succeed.")
    { Scope = ProblemScope.None };

    public static readonly ProblemType NotFound = new("not-found", 404,
        "No such path", "Check the path against the contract at /docs.")
    { Scope = ProblemScope.None };

    public static readonly ProblemType MethodNotAllowed = new("method-not-allowed", 405,
        "Method not allowed", "Use a method that the Allow header lists.")
    { Scope = ProblemScope.None };

    public static readonly ProblemType NotImplemented = new("not-implemented", 501,
        "The method is unknown", "Use a method that the contract names, in upper case.")
    { Scope = ProblemScope.None };

    public static readonly ProblemType ContentTooLarge = new("content-too-large", 413,
        "The request's body is too large", "Send no body, or a small one; the gateway ignores it.")
    { Scope = ProblemScope.None };

    public static readonly ProblemType InternalError = new("internal-error", 500,
        "The gateway failed", "Try again later; tell the gateway's operators the traceId.");

    /// <summary>The types of HTTP.</summary>
    public static readonly ProblemType[] Common =
    [
        BadRequest, NotFound, MethodNotAllowed, NotImplemented, ContentTooLarge, InternalError,
    ];

    /// <summary>The operations of the contract that can have this problem.</summary>
    public ProblemScope Scope { get; init; } = ProblemScope.Jobs | ProblemScope.Routes;

    /// <summary>The value of <c>type</c>.</summary>
    public string Uri => RegisteredType ?? $"/problems/{Slug}";
}

/// <summary>Operations of the contract.</summary>
[Flags]
internal enum ProblemScope
{
    /// <summary>No operation of the contract; the problem occurs on other paths, such as the login.</summary>
    None = 0,
    Jobs = 1,
    Routes = 2,

    /// <summary>Event streams, and requests for several jobs.</summary>
    Watching = 4,
}

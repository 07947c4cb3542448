namespace Gateway.Problems;

/// <summary>
/// A kind of problem that the gateway answers with (RFC 9457). Each feature has its own; those of HTTP itself are here.
/// </summary>
/// <param name="Slug">The name; a type of our own is <c>/problems/{slug}</c> on the gateway itself.</param>
/// <param name="Status">The HTTP status.</param>
/// <param name="Title">What happened, the same for each occurrence.</param>
/// <param name="Advice">What a client is to do.</param>
/// <param name="RegisteredType">A type that others define, where one fits.</param>
internal sealed record ProblemType(string Slug, int Status, string Title, string Advice, string? RegisteredType = null)
{
    public static readonly ProblemType BadRequest = new("bad-request", 400,
        "The request is malformed", "Correct the request; the same one will never succeed.")
    { Scope = ProblemScope.None };

    public static readonly ProblemType NotFound = new("not-found", 404,
        "There is nothing here", "Check the path against the contract at /docs.")
    { Scope = ProblemScope.None };

    public static readonly ProblemType MethodNotAllowed = new("method-not-allowed", 405,
        "Method not allowed", "Use a method that the Allow header lists.")
    { Scope = ProblemScope.None };

    public static readonly ProblemType NotImplemented = new("not-implemented", 501,
        "The method is not known", "Use a method that the contract names, in upper case.")
    { Scope = ProblemScope.None };

    public static readonly ProblemType ContentTooLarge = new("content-too-large", 413,
        "The request's body is too large", "Send no body, or a small one: it has no meaning here.")
    { Scope = ProblemScope.None };

    public static readonly ProblemType InternalError = new("internal-error", 500,
        "The gateway failed", "Try again later; tell the gateway's operators the traceId.");

    /// <summary>Those of HTTP itself.</summary>
    public static readonly ProblemType[] Common =
    [
        BadRequest, NotFound, MethodNotAllowed, NotImplemented, ContentTooLarge, InternalError,
    ];

    /// <summary>Which operations of the contract may be answered so.</summary>
    public ProblemScope Scope { get; init; } = ProblemScope.Jobs | ProblemScope.Routes;

    /// <summary>The value of <c>type</c>.</summary>
    public string Uri => RegisteredType ?? $"/problems/{Slug}";
}

/// <summary>Operations of the contract.</summary>
[Flags]
internal enum ProblemScope
{
    /// <summary>None: it is of other paths, such as the login's.</summary>
    None = 0,
    Jobs = 1,
    Routes = 2,
}

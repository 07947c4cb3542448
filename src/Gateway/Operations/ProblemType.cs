namespace Gateway.Operations;

/// <summary>
/// Every kind of problem that the gateway answers with (RFC 9457): one table, for the code, the contract, the pages
/// that the types lead to, and the docs.
/// </summary>
/// <param name="Slug">The name; a type of our own is <c>/problems/{slug}</c> on the gateway itself.</param>
/// <param name="Status">The HTTP status.</param>
/// <param name="Title">What happened, the same for each occurrence.</param>
/// <param name="Advice">What a client is to do.</param>
/// <param name="RegisteredType">A type that others define, where one fits.</param>
internal sealed record ProblemType(string Slug, int Status, string Title, string Advice, string? RegisteredType = null)
{
    public static readonly ProblemType InvalidIdentifier = new("invalid-identifier", 400,
        "An identifier is malformed", "Correct workflow_id or job_id; the same request will never succeed.");
    public static readonly ProblemType AmbiguousCredentials = new("ambiguous-credentials", 400,
        "More than one credential", "Send one credential, in one header, once; a browser with a session sends a cookie by itself.");
    public static readonly ProblemType MalformedCredential = new("malformed-credential", 400,
        "The credential has no possible form", "Send the key or the token as it was given to you.");
    public static readonly ProblemType BadRequest = new("bad-request", 400,
        "The request is malformed", "Correct the request; the same one will never succeed.");
    public static readonly ProblemType Unauthenticated = new("unauthenticated", 401,
        "No valid credential", "Send a valid gateway key or token, or log in; ask the gateway's operators for a key.");
    public static readonly ProblemType TooManyAttempts = new("too-many-attempts", 429,
        "Too many wrong credentials from this address", "Correct the credential, and wait for the seconds in Retry-After.");
    public static readonly ProblemType TooManyLogins = new("too-many-logins", 429,
        "Too many logins just now", "Wait for the seconds in Retry-After, and log in again, from the start.");
    public static readonly ProblemType NoTeam = new("no-team", 403,
        "You are in no team", "Ask the gateway's operators to name one of your claims in a team.");
    public static readonly ProblemType CsrfHeaderRequired = new("csrf-header-required", 403,
        "The header X-CSRF is missing", "Send 'X-CSRF: 1' with each request that a session cookie goes along with.");
    public static readonly ProblemType ForeignOrigin = new("foreign-origin", 403,
        "A page of another origin", "Ask the gateway's operators to allow the page's origin.");
    public static readonly ProblemType IdentityUnavailable = new("identity-unavailable", 503,
        "Nobody can be identified just now", "Wait for the seconds in Retry-After; the credential may be fine.");
    public static readonly ProblemType InvalidReturnUrl = new("invalid-return-url", 400,
        "The return address is not allowed", "Return to a path of this host, or to an allowed origin.");
    public static readonly ProblemType LoginFailed = new("login-failed", 400,
        "The login failed", "Log in again, from the start.");
    public static readonly ProblemType InvalidLogoutToken = new("invalid-logout-token", 400,
        "The logout token is not valid", "Only the identity provider can make one.");
    public static readonly ProblemType WorkflowForbidden = new("workflow-forbidden", 403,
        "Not your workflow", "Ask the gateway's operators to let your team read this workflow.");
    public static readonly ProblemType RouteForbidden = new("route-forbidden", 403,
        "Not your route", "Ask the gateway's operators to let your team use this route, and read the workflow that it names.");
    public static readonly ProblemType NotFound = new("not-found", 404,
        "There is nothing here", "Check the path against the contract at /docs.");
    public static readonly ProblemType MethodNotAllowed = new("method-not-allowed", 405,
        "Method not allowed", "Use a method that the Allow header lists.");
    public static readonly ProblemType NotImplemented = new("not-implemented", 501,
        "The method is not known", "Use a method that the contract names, in upper case.");
    public static readonly ProblemType ContentTooLarge = new("content-too-large", 413,
        "The request's body is too large", "Send no body, or a small one: it has no meaning here.");
    public static readonly ProblemType QuotaExceeded = new("quota-exceeded", 429,
        "Your team's quota is used up", "Wait for the seconds in Retry-After.",
        "https://iana.org/assignments/http-problem-types#quota-exceeded");
    public static readonly ProblemType OperatorRequired = new("operator-required", 403,
        "Not an operator's key", "Use a key of Operators:ApiKeys.");
    public static readonly ProblemType PurgeIncomplete = new("purge-incomplete", 503,
        "The purge is not complete", "Repeat it when Redis is back; a purge may be repeated at any time.");
    public static readonly ProblemType NoRoom = new("no-room", 503,
        "The gateway has no memory for one more large job just now", "Wait for the seconds in Retry-After.");
    public static readonly ProblemType InternalError = new("internal-error", 500,
        "The gateway failed", "Try again later; tell the gateway's operators the traceId.");

    public static readonly ProblemType UpstreamBadRequest = new("upstream-bad-request", 400,
        "The upstream did not understand the request", "See error, which is the upstream's; the same request will never succeed.");
    public static readonly ProblemType UpstreamForbidden = new("upstream-forbidden", 403,
        "The upstream refused access", "See error, which is the upstream's; tell the gateway's operators if you expected access.");
    public static readonly ProblemType JobNotFound = new("job-not-found", 404,
        "The upstream knows no such job", "Check both identifiers; a job created a moment ago appears within seconds.");
    public static readonly ProblemType UpstreamNotFound = new("upstream-not-found", 404,
        "The upstream knows nothing of that name", "Check the identifiers in the path.");
    public static readonly ProblemType UpstreamGone = new("upstream-gone", 410,
        "The upstream had it, and has it no longer", "Do not ask again; it will not come back.");
    public static readonly ProblemType UpstreamLegal = new("upstream-legal", 451,
        "The upstream withholds it for legal reasons", "Do not ask again; see error, which is the upstream's.");
    public static readonly ProblemType UpstreamInvalid = new("upstream-invalid", 502,
        "The upstream's answer cannot be used", "Try again later; tell the gateway's operators the traceId if it lasts.");
    public static readonly ProblemType UpstreamCredentialRefused = new("upstream-credential-refused", 503,
        "The upstream refused the gateway's own credential", "Tell the gateway's operators; your key is fine.");
    public static readonly ProblemType UpstreamFailed = new("upstream-failed", 502,
        "The upstream failed", "Try again later.");
    public static readonly ProblemType UpstreamBusy = new("upstream-busy", 503,
        "The upstream asks to slow down", "Wait for the seconds in Retry-After.",
        "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity");
    public static readonly ProblemType UpstreamBudgetExhausted = new("upstream-budget-exhausted", 503,
        "The gateway may not ask the upstream more often", "Wait for the seconds in Retry-After.");
    public static readonly ProblemType UpstreamUnavailable = new("upstream-unavailable", 503,
        "The upstream is unavailable", "Wait for the seconds in Retry-After.");
    public static readonly ProblemType UpstreamTimeout = new("upstream-timeout", 504,
        "The upstream did not answer in time", "Try again later.");

    public static IReadOnlyList<ProblemType> All { get; } =
    [
        InvalidIdentifier, AmbiguousCredentials, MalformedCredential, BadRequest, Unauthenticated, TooManyAttempts,
        TooManyLogins,
        WorkflowForbidden, RouteForbidden, NoTeam, CsrfHeaderRequired, ForeignOrigin, IdentityUnavailable, InvalidReturnUrl, LoginFailed,
        InvalidLogoutToken, NotFound, MethodNotAllowed, NotImplemented, ContentTooLarge, QuotaExceeded,
        OperatorRequired, PurgeIncomplete, NoRoom, InternalError, UpstreamBadRequest, UpstreamForbidden,
        JobNotFound, UpstreamNotFound, UpstreamGone, UpstreamLegal, UpstreamInvalid, UpstreamCredentialRefused, UpstreamFailed,
        UpstreamBusy,
        UpstreamBudgetExhausted, UpstreamUnavailable, UpstreamTimeout,
    ];

    /// <summary>The value of <c>type</c>.</summary>
    public string Uri => RegisteredType ?? $"/problems/{Slug}";
}

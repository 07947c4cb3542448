using Gateway.Problems;

namespace Gateway.Callers;

/// <summary>The problem types of callers that are not identified or not authorised.</summary>
internal static class CallerProblems
{
    public static readonly ProblemType AmbiguousCredentials = new("ambiguous-credentials", 400,
        "More than one credential",
        "Send one credential, in one header, once; a browser with a session sends a cookie by itself.");

    public static readonly ProblemType MalformedCredential = new("malformed-credential", 400,
        "The credential is malformed", "Send the key or the token as it was given to you.");

    public static readonly ProblemType Unauthenticated = new("unauthenticated", 401,
        "No valid credential", "Send a valid gateway key or token, or log in; ask the gateway's operators for a key.");

    public static readonly ProblemType TooManyAttempts = new("too-many-attempts", 429,
        "Too many wrong credentials from this address",
        "Correct the credential, and wait for the seconds in Retry-After.");

    public static readonly ProblemType TooManyLogins = new("too-many-logins", 429,
        "Too many logins", "Wait for the seconds in Retry-After, and log in again, from the start.")
    { Scope = ProblemScope.None };

    public static readonly ProblemType WorkflowForbidden = new("workflow-forbidden", 403,
        "Your team may not read this workflow", "Ask the gateway's operators to let your team read this workflow.")
    { Scope = ProblemScope.Jobs };

    public static readonly ProblemType RouteForbidden = new("route-forbidden", 403,
        "Your team may not use this route",
        "Ask the gateway's operators to let your team use this route, and read the workflow that it names.")
    { Scope = ProblemScope.Routes };

    public static readonly ProblemType NoTeam = new("no-team", 403,
        "You belong to no team", "Ask the gateway's operators to name one of your claims in a team.");

    public static readonly ProblemType CsrfHeaderRequired = new("csrf-header-required", 403,
        "The header X-CSRF is missing", "Send 'X-CSRF: 1' with each request that carries a session cookie.");

    public static readonly ProblemType ForeignOrigin = new("foreign-origin", 403,
        "The page's origin is not allowed", "Ask the gateway's operators to allow the page's origin.");

    public static readonly ProblemType IdentityUnavailable = new("identity-unavailable", 503,
        "Callers cannot be identified at present", "Wait for the seconds in Retry-After; the credential may be fine.");

    public static readonly ProblemType InvalidReturnUrl = new("invalid-return-url", 400,
        "The return address is not allowed", "Return to a path of this host, or to an allowed origin.")
    { Scope = ProblemScope.None };

    public static readonly ProblemType LoginFailed = new("login-failed", 400,
        "The login failed", "Log in again, from the start.")
    { Scope = ProblemScope.None };

    public static readonly ProblemType LoginCancelled = new("login-cancelled", 400,
        "You are not logged in", "Log in again if you want to go on.")
    { Scope = ProblemScope.None };

    public static readonly ProblemType LoginExpired = new("login-expired", 400,
        "This login is no longer valid", "Log in again, in this browser, and within 15 minutes.")
    { Scope = ProblemScope.None };

    public static readonly ProblemType IdentityMisconfigured = new("identity-misconfigured", 500,
        "The gateway cannot use its identity provider",
        "Tell the gateway's operators the traceId; the gateway's log names the option.");

    public static readonly ProblemType InvalidLogoutToken = new("invalid-logout-token", 400,
        "The logout token is not valid", "Only the identity provider can make a logout token.")
    { Scope = ProblemScope.None };

    public static readonly ProblemType OperatorRequired = new("operator-required", 403,
        "An operator's key is required", "Use a key of Operators:ApiKeys.")
    { Scope = ProblemScope.None };

    public static readonly ProblemType[] All =
    [
        AmbiguousCredentials, MalformedCredential, Unauthenticated, TooManyAttempts, TooManyLogins,
        WorkflowForbidden, RouteForbidden, NoTeam, CsrfHeaderRequired, ForeignOrigin, IdentityUnavailable,
        IdentityMisconfigured, InvalidReturnUrl, LoginFailed, LoginCancelled, LoginExpired, InvalidLogoutToken,
        OperatorRequired,
    ];
}

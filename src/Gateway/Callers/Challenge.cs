using Gateway.Callers.Tokens;
using Gateway.Problems;

namespace Gateway.Callers;

/// <summary>Creates the problem and the challenge for a caller that is not identified (RFC 6750, section 3).</summary>
internal static class Challenge
{
    private const string Scheme = "Bearer realm=\"gateway\"";

    public static readonly Problem Misconfigured = new(CallerProblems.IdentityMisconfigured,
        "The gateway and the identity provider are not configured for each other.");

    public static Problem For(Refusal refusal) => refusal switch
    {
        Refusal.Ambiguous => Invalid(CallerProblems.AmbiguousCredentials,
            "The request carries more than one credential, one header twice, or a value with a comma."),
        Refusal.Malformed => Invalid(CallerProblems.MalformedCredential,
            "A credential consists of visible ASCII characters."),

        // A challenge without a credential has no error code (section 3.1).
        Refusal.Missing => Unauthenticated(
            "Send a gateway key as 'X-Api-Key: k', 'Authorization: k' or 'Authorization: Bearer k', "
            + "or a token as 'Authorization: Bearer t'."),
        Refusal.SessionEnded or Refusal.SessionUnknown => Unauthenticated(
            "This session has ended or does not exist; log in at /bff/login."),

        Refusal.Damaged => Refused("The key is incomplete or mistyped", "Check it with the command 'keys check'."),
        Refusal.NotYetValid => Refused("The key is not valid yet"),
        Refusal.Expired => Refused("The key has expired"),
        Refusal.TokenMalformed => Refused("The token is not a JWT that can be used here"),
        Refusal.TokenUnsuitable => Refused("The token is for another purpose"),
        Refusal.TokenAlgorithm => Refused("The token is not signed by RS, PS or ES with SHA-2"),
        Refusal.TokenEncrypted => Refused(
            "The token is encrypted", "Ask the provider for a token with an audience that the gateway accepts."),
        Refusal.TokenSignature => Refused("The token is not signed by a key of its provider"),
        Refusal.TokenIssuer => Refused("The token was issued by another provider"),
        Refusal.TokenAudience => Refused("The token is for another audience"),
        Refusal.TokenNotYetValid => Refused("The token is not valid yet"),
        Refusal.TokenExpired => Refused("The token has expired"),

        Refusal.TooManyAttempts => new Problem(
            CallerProblems.TooManyAttempts, "Too many credentials from this address were wrong."),
        Refusal.ProviderAway => Away("The keys of the identity provider cannot be fetched."),
        Refusal.ProviderMisconfigured => Misconfigured,
        Refusal.SessionsAway => Away("The session store cannot be reached."),
        Refusal.CsrfHeaderMissing => new Problem(
            CallerProblems.CsrfHeaderRequired, "A request with a session cookie must carry 'X-CSRF: 1'."),
        Refusal.ForeignOrigin => new Problem(
            CallerProblems.ForeignOrigin, "A page of this origin may not use a session."),
        _ => Refused("The key is not known"),
    };

    private static Problem Away(string detail) =>
        new(CallerProblems.IdentityUnavailable, detail) { RetryAfter = ProviderConfiguration.BackOff };

    private static Problem Unauthenticated(string detail) =>
        new(CallerProblems.Unauthenticated, detail) { Challenge = Scheme };

    private static Problem Refused(string reason, string advice = "") =>
        new(CallerProblems.Unauthenticated, $"{reason}. {advice}".TrimEnd())
        {
            Challenge = Error("invalid_token", reason),
        };

    private static Problem Invalid(ProblemType type, string detail) =>
        new(type, detail) { Challenge = Error("invalid_request", type.Title) };

    private static string Error(string code, string description) =>
        $"{Scheme}, error=\"{code}\", error_description=\"{description}\"";
}

using Gateway.Operations;

namespace Gateway.Callers;

/// <summary>What a request is told that nobody is known by (RFC 6750, section 3).</summary>
internal static class Challenge
{
    private const string Scheme = "Bearer realm=\"gateway\"";

    public static Problem For(Refusal refusal) => refusal switch
    {
        Refusal.Ambiguous => new Problem(ProblemType.AmbiguousCredentials,
            "The request carries more than one credential, or one header twice."),
        // Section 3.1: without a credential, no error code.
        Refusal.Missing => Unauthenticated("Send a gateway key as 'X-Api-Key: k', 'Authorization: k' or 'Authorization: Bearer k'.", Scheme),
        Refusal.Damaged => Unauthenticated("This gateway key is incomplete or mistyped; the command 'keys check' tells a whole one.",
            Invalid("The key is incomplete or mistyped")),
        Refusal.NotYetValid => Unauthenticated("This gateway key is not valid yet.", Invalid("The key is not valid yet")),
        Refusal.Expired => Unauthenticated("This gateway key has expired.", Invalid("The key has expired")),
        _ => Unauthenticated("This gateway key is not known.", Invalid("The key is not known")),
    };

    private static Problem Unauthenticated(string detail, string challenge) =>
        new(ProblemType.Unauthenticated, detail) { Challenge = challenge };

    private static string Invalid(string description) => $"{Scheme}, error=\"invalid_token\", error_description=\"{description}\"";
}

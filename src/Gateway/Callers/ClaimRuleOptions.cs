using Gateway.Configuration;

namespace Gateway.Callers;

/// <summary>A rule about one claim, for names and forms that <see cref="TeamOptions.Claims"/> cannot say.</summary>
internal sealed class ClaimRuleOptions
{
    /// <summary>The name of the claim, such as <c>cognito:groups</c>. Required.</summary>
    public string Claim { get; set; } = "";

    /// <summary>The values that make a caller a member. Required.</summary>
    public List<string> Values { get; set; } = [];

    /// <summary>
    /// The text between the values of a claim that has several in one text, such as <c>,</c>. Spaces around a value do
    /// not belong to it. Default empty: a text is one value.
    /// </summary>
    public string Separator { get; set; } = "";

    /// <summary>
    /// The member of the claim's objects that is the value, such as <c>name</c>. Default empty: objects have no value.
    /// </summary>
    public string Member { get; set; } = "";

    /// <summary>Whether the values are the names of the members of the claim's object. Default false.</summary>
    public bool Keys { get; set; }

    /// <summary>
    /// The issuer whose callers the rule is for, one of <c>Authentication</c>. Default empty: those of
    /// <see cref="TeamOptions.Issuers"/>.
    /// </summary>
    public string Issuer { get; set; } = "";

    public ClaimRule ToRule(string[] issuersOfTeam) => ClaimRule.Of(Claim, Values) with
    {
        Separator = Separator,
        Member = Member,
        Keys = Keys,
        Issuers = Issuer.Length > 0 ? [AuthenticationOptions.IssuerOf(Issuer)] : issuersOfTeam,
    };

    public void Check(ConfigurationErrors errors, string path, Action<string, string> checkIssuer)
    {
        errors.Unless(!string.IsNullOrWhiteSpace(Claim), $"{path}:Claim", "must name a claim");
        errors.Unless(Values.Count > 0 && Values.TrueForAll(value => !string.IsNullOrWhiteSpace(value)),
            $"{path}:Values", "must list at least one value, and no empty one");
        errors.Unless(!Keys || (Member + Separator).Length == 0, $"{path}:Keys",
            "cannot be combined with Member or Separator");
        if (Issuer.Length > 0) checkIssuer($"{path}:Issuer", Issuer);
    }
}

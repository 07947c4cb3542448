namespace Gateway.Callers;

/// <summary>Makes callers members of a team by one claim: any listed value, compared with case.</summary>
/// <param name="Claim">The name of the claim, as <see cref="ClaimSet.Values"/> reads it.</param>
/// <param name="Values">The listed values.</param>
internal sealed record ClaimRule(string Claim, string[] Values)
{
    /// <summary>Creates a rule with values of the configuration.</summary>
    public static ClaimRule Of(string claim, IEnumerable<string> configured) =>
        new(claim, [.. configured.SelectMany(AsClaimed)]);

    // .NET reads the booleans of a JSON file as True and False. Tokens have true and false.
    private static string[] AsClaimed(string value) =>
        value is "True" or "False" ? [value, value.ToLowerInvariant()] : [value];

    /// <summary>Separates the values in one text; empty: a text is one value.</summary>
    public string Separator { get; init; } = "";

    /// <summary>The member of an object that is its value; empty: objects have no value.</summary>
    public string Member { get; init; } = "";

    /// <summary>Whether the names of an object's members are its values.</summary>
    public bool Keys { get; init; }

    /// <summary>The issuers whose callers the rule is for; empty: all.</summary>
    public string[] Issuers { get; init; } = [];

    public bool IsFor(ClaimSet claims) => Issuers.Length == 0 || Issuers.Contains(claims.Issuer);

    public bool Matches(ClaimSet claims)
    {
        if (!IsFor(claims)) return false;
        foreach (var value in claims.Values(Claim, Separator, Member, Keys))
        {
            if (Values.Contains(value)) return true;
        }
        return false;
    }

    /// <summary>Says why the rule does not match.</summary>
    public ClaimMismatch WhyNot(ClaimSet claims) =>
        !IsFor(claims) ? ClaimMismatch.OtherIssuer
        : claims.Values(Claim, Separator, Member, Keys).Any() ? ClaimMismatch.OtherValues
        : claims.LeftOut(Claim) ? ClaimMismatch.LeftOut
        : claims.Has(Claim) ? ClaimMismatch.NoValues
        : ClaimMismatch.Absent;
}

/// <summary>Why a <see cref="ClaimRule"/> does not match.</summary>
internal enum ClaimMismatch
{
    /// <summary>The rule is for callers of another issuer.</summary>
    OtherIssuer,

    /// <summary>The claim has values, but none that the rule lists.</summary>
    OtherValues,

    /// <summary>The claim is there, but the gateway finds no value in it.</summary>
    NoValues,

    /// <summary>The provider left the claim out, because it has too many values.</summary>
    LeftOut,

    /// <summary>The caller has no such claim.</summary>
    Absent,
}

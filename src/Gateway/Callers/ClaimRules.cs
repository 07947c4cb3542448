namespace Gateway.Callers;

/// <summary>
/// The claims that make a caller a member of a team: any listed value of any listed claim, compared with case.
/// </summary>
internal sealed class ClaimRules(IEnumerable<KeyValuePair<string, List<string>>> rules)
{
    private readonly (string Claim, string[] Values)[] _rules =
        [.. rules.Select(rule => (rule.Key, rule.Value.ToArray()))];

    public bool Match(ClaimSet claims)
    {
        foreach (var (claim, listed) in _rules)
        {
            foreach (var value in claims.Values(claim))
            {
                if (listed.Contains(value)) return true;
            }
        }
        return false;
    }
}

namespace Gateway.Callers;

/// <summary>The claims that make a caller a member of a team: those of any rule.</summary>
internal sealed class ClaimRules(IEnumerable<ClaimRule> rules)
{
    private readonly ClaimRule[] _rules = [.. rules];

    public IReadOnlyList<ClaimRule> All => _rules;

    public bool Match(ClaimSet claims)
    {
        foreach (var rule in _rules)
        {
            if (rule.Matches(claims)) return true;
        }
        return false;
    }
}

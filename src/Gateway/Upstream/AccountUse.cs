using System.Collections.Frozen;

namespace Gateway.Upstream;

/// <summary>How many teams use each account.</summary>
internal sealed class AccountUse(IEnumerable<KeyValuePair<string, int>> teams)
{
    private readonly FrozenDictionary<string, int> _teams = teams.ToFrozenDictionary(StringComparer.OrdinalIgnoreCase);

    public int TeamsOf(string account) => _teams.GetValueOrDefault(account);
}

using System.Collections.Frozen;

namespace Gateway.Callers;

/// <summary>The routes that a team may use: their names, or <c>*</c> for all.</summary>
internal sealed class RouteRules(IEnumerable<string> rules)
{
    public const string All = "*";

    private readonly FrozenSet<string> _names = rules.ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    public bool Allow(string route) => _names.Contains(All) || _names.Contains(route);
}

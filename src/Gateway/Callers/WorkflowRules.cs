using System.Collections.Frozen;
using Gateway.Jobs;

namespace Gateway.Callers;

/// <summary>
/// The workflows that a team may read: exact ids, and prefixes that end in <c>*</c>, compared with case.
/// </summary>
internal sealed class WorkflowRules(IEnumerable<string> rules)
{
    private readonly FrozenSet<string> _exact =
        rules.Where(rule => !rule.EndsWith('*')).ToFrozenSet(StringComparer.Ordinal);

    private readonly string[] _prefixes = rules.Where(rule => rule.EndsWith('*')).Select(rule => rule[..^1]).ToArray();

    public static bool IsRule(string rule) =>
        rule == "*" || JobAddress.IsIdentifier(rule.EndsWith('*') ? rule[..^1] : rule);

    public bool Allow(string workflow)
    {
        foreach (var prefix in _prefixes)
        {
            if (workflow.StartsWith(prefix, StringComparison.Ordinal)) return true;
        }
        return _exact.Contains(workflow);
    }
}

using System.Collections.Concurrent;
using Gateway.Runtime;

namespace Gateway.Limits;

/// <summary>
/// All quotas on this node. A quota keeps its state when the configuration changes elsewhere, so that its team does not
/// get a new burst.
/// </summary>
internal sealed class Quotas(SharedQuotas shared, QuotaMetrics metrics, SteadyClock clock)
{
    private readonly ConcurrentDictionary<(string Holder, string Policy), Quota> _all = new();

    public ICollection<Quota> All => _all.Values;

    /// <summary>Returns the existing quota if its options are the same; otherwise a new one, not in force.</summary>
    public Quota Prepare(string holder, string policy, QuotaOptions options) =>
        _all.GetValueOrDefault((holder, policy)) is { } kept && kept.Options == options
            ? kept : new Quota(holder, policy, options, shared, metrics, clock);

    public Quota For(string holder, string policy, QuotaOptions options) =>
        _all.AddOrUpdate(
            (holder, policy), _ => Prepare(holder, policy, options), (_, _) => Prepare(holder, policy, options));

    /// <summary>Puts these quotas in force, and removes all others.</summary>
    public void Keep(IEnumerable<Quota> quotas)
    {
        var used = quotas.ToHashSet();
        foreach (var quota in used) _all[(quota.Holder, quota.Policy)] = quota;
        foreach (var (key, quota) in _all)
        {
            if (!used.Contains(quota)) _all.TryRemove(KeyValuePair.Create(key, quota));
        }
    }
}

using System.Collections.Concurrent;
using Gateway.Operations;

namespace Gateway.Limits;

/// <summary>
/// All quotas on this node. One outlives a change of configuration that leaves it as it was, so that nobody gets a fresh
/// burst from somebody else's edit.
/// </summary>
internal sealed class Quotas(SharedQuotas shared, GatewayMetrics metrics, TimeProvider clock)
{
    private readonly ConcurrentDictionary<(string Holder, string Policy), Quota> _all = new();

    public ICollection<Quota> All => _all.Values;

    public Quota For(string holder, string policy, QuotaOptions options) => _all.AddOrUpdate((holder, policy),
        _ => new Quota(holder, policy, options, shared, metrics, clock),
        (_, kept) => kept.Options == options ? kept : new Quota(holder, policy, options, shared, metrics, clock));

    /// <summary>Forgets every quota but these.</summary>
    public void Keep(IReadOnlySet<Quota> used)
    {
        foreach (var (key, quota) in _all)
        {
            if (!used.Contains(quota)) _all.TryRemove(KeyValuePair.Create(key, quota));
        }
    }
}

using System.Collections.Concurrent;
using Gateway.Limits;
using Gateway.Runtime;
using Microsoft.Extensions.Options;

namespace Gateway.Upstream;

/// <summary>The gates of all accounts.</summary>
internal sealed class AccountGates
{
    private readonly ConcurrentDictionary<string, AccountGate> _all = new(StringComparer.Ordinal);
    private readonly Func<string, AccountGate> _make;

    public AccountGates(Accounts accounts, SharedAccounts shared, SharedQuotas nodes, CredentialTrial trials,
        IOptionsMonitor<UpstreamOptions> upstream, IOptionsMonitor<AccountUse> use, UpstreamMetrics metrics, TimeProvider clock, SteadyClock steady,
        ILogger<AccountGate> logger)
    {
        // Whoever shares a Redis goes by its time, which cannot be replaced.
        var time = shared.IsConfigured ? TimeProvider.System : clock;
        if (shared.IsConfigured) steady = new SteadyClock(time);
        _make = account => new AccountGate(
            account, accounts, new AccountBook(account, shared, nodes, steady), shared.IsConfigured, trials, upstream, use,
            metrics, time, logger);
        metrics.ObserveAccounts(_all);
        shared.Returned += () =>
        {
            foreach (var gate in _all.Values) gate.TellOfTimeAlone();
        };
        upstream.OnChange(options =>
        {
            foreach (var account in _all.Keys)
            {
                if (!options.Accounts.ContainsKey(account)) _all.TryRemove(account, out _);
            }
        });
    }

    // In Redis it has one name, however it is written in the configuration.
    public AccountGate Of(string account) => _all.GetOrAdd(account.ToLowerInvariant(), _make);
}

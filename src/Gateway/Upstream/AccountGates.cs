using System.Collections.Concurrent;
using Gateway.Configuration;
using Gateway.Limits;
using Gateway.Operations;

namespace Gateway.Upstream;

/// <summary>The gates of all accounts.</summary>
internal sealed class AccountGates
{
    private readonly ConcurrentDictionary<string, AccountGate> _all = new(StringComparer.Ordinal);
    private readonly Func<string, AccountGate> _make;

    public AccountGates(Accounts accounts, SharedAccounts shared, SharedQuotas nodes, CredentialTrial trials,
        LiveConfiguration configuration, GatewayMetrics metrics, TimeProvider clock, SteadyClock steady,
        ILogger<AccountGate> logger)
    {
        // Whoever shares a Redis goes by its time, which cannot be replaced.
        var time = shared.IsConfigured ? TimeProvider.System : clock;
        if (shared.IsConfigured) steady = new SteadyClock(time);
        _make = account => new AccountGate(
            account, accounts, new AccountBook(account, shared, nodes, steady), shared.IsConfigured, trials, configuration,
            metrics, time, logger);
        metrics.ObserveAccounts(_all);
        shared.Returned += () =>
        {
            foreach (var gate in _all.Values) gate.TellOfTimeAlone();
        };
        configuration.Changed += options =>
        {
            foreach (var account in _all.Keys)
            {
                if (!options.Upstream.Accounts.ContainsKey(account)) _all.TryRemove(account, out _);
            }
        };
    }

    // In Redis it has one name, however it is written in the configuration.
    public AccountGate Of(string account) => _all.GetOrAdd(account.ToLowerInvariant(), _make);
}

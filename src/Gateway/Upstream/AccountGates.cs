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

    public AccountGates(Accounts accounts, SharedAccounts shared, SharedQuotas nodes, LiveConfiguration configuration,
        GatewayMetrics metrics, TimeProvider clock, ILogger<AccountGate> logger)
    {
        _make = account => new AccountGate(account, accounts, shared, nodes, configuration, metrics, clock, logger);
        metrics.ObserveAccounts(_all);
        shared.Returned += () =>
        {
            foreach (var gate in _all.Values) gate.TellOfTimeAlone();
        };
    }

    // In Redis it has one name, however it is written in the configuration.
    public AccountGate Of(string account) => _all.GetOrAdd(account.ToLowerInvariant(), _make);
}

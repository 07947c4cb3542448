using System.Collections.Concurrent;
using Gateway.Limits;
using Gateway.Redis;
using Gateway.Runtime;
using Microsoft.Extensions.Options;

namespace Gateway.Upstream;

/// <summary>The gates of all accounts.</summary>
internal sealed class AccountGates
{
    private readonly ConcurrentDictionary<string, AccountGate> _all = new(StringComparer.Ordinal);
    private readonly Func<string, AccountGate> _create;

    public AccountGates(
        Accounts accounts, RedisConnection redis, SharedQuotas quotas, TrialClient trials,
        IOptionsMonitor<UpstreamOptions> upstream, IOptionsMonitor<AccountUse> use, UpstreamMetrics metrics,
        TimeProvider clock, SteadyClock steady, ILogger<AccountGate> logger)
    {
        // Redis's clock cannot be replaced by a test's.
        var time = redis.IsConfigured ? TimeProvider.System : clock;
        if (redis.IsConfigured) steady = new SteadyClock(time);
        _create = account => new AccountGate(
            account, accounts, new AccountStore(account, redis, quotas, steady), trials, upstream, use, metrics, time,
            logger);
        metrics.ObserveAccounts(() => accounts.Names.Select(Of));
        redis.Returned += () =>
        {
            foreach (var gate in _all.Values) gate.ReportTimeAlone();
        };
        upstream.OnChange(options =>
        {
            foreach (var account in _all.Keys)
            {
                if (!options.Accounts.ContainsKey(account)) _all.TryRemove(account, out _);
            }
        });
    }

    // The configuration may write a name in any case. Redis has it in lower case.
    public AccountGate Of(string account) => _all.GetOrAdd(account.ToLowerInvariant(), _create);
}

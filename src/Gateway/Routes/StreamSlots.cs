using Gateway.Upstream;
using Microsoft.Extensions.Options;

namespace Gateway.Routes;

/// <summary>
/// Limits the calls of routes under way. Each holds one of its account's <c>MaxConcurrentRequests</c>, perhaps for
/// hours. All of them together may hold half of this node's share; the rest is for jobs. A team may hold half of these
/// slots. If more than two teams use the account, a team may hold at most as many slots as it leaves free, so that
/// another team finds some later.
/// </summary>
internal sealed class StreamSlots(IOptionsMonitor<UpstreamOptions> upstream, IOptionsMonitor<AccountUse> use)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<(string Account, string? Team), int> _held = [];

    /// <returns>The slot, to be disposed after the call; null if none is free.</returns>
    public IDisposable? Take(AccountCall call)
    {
        var all =
            Math.Max(1, (upstream.CurrentValue.Accounts.GetValueOrDefault(call.Account)?.MaxConcurrentRequests ?? 1) / 2
                / call.Gate.Nodes);
        var (account, team) = ((call.Account, (string?)null), (call.Account, call.Team));
        var teams = use.CurrentValue.TeamsOf(call.Account);
        lock (_lock)
        {
            var free = all - _held.GetValueOrDefault(account);
            var held = _held.GetValueOrDefault(team);
            var mayTake = teams > 2 ? held + 1 <= free - 1 : held < all / 2;
            if (free <= 0 || (held > 0 && !mayTake)) return null;
            foreach (var holder in (ReadOnlySpan<(string, string?)>)[account, team])
            {
                _held[holder] = _held.GetValueOrDefault(holder) + 1;
            }
        }
        return new Slot(() =>
        {
            lock (_lock)
            {
                foreach (var holder in (ReadOnlySpan<(string, string?)>)[account, team])
                {
                    if (--_held[holder] == 0) _held.Remove(holder);
                }
            }
        });
    }

    private sealed class Slot(Action giveBack) : IDisposable
    {
        public void Dispose() => giveBack();
    }
}

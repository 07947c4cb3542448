using Gateway.Upstream;
using Microsoft.Extensions.Options;

namespace Gateway.Routes;

/// <summary>
/// How many calls of routes are under way. Each holds one of its account's <c>MaxConcurrentRequests</c>, perhaps for
/// hours, so that all of them together may hold this node's share of one half: the rest is for jobs. A team may hold
/// half of those; where more than two teams use the account, no more than it leaves to others, so that a team that
/// comes later finds some.
/// </summary>
internal sealed class StreamSlots(IOptionsMonitor<UpstreamOptions> upstream, IOptionsMonitor<AccountUse> use)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<(string Account, string? Team), int> _held = [];

    /// <returns>What is to be given back; null: there is none.</returns>
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

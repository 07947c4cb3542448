using Gateway.Limits;
using Gateway.Runtime;

namespace Gateway.Upstream;

/// <summary>
/// An account as one node sees it: in Redis, with the others; while Redis is away, alone with its share; without one,
/// on its own. It answers one question at a time.
/// </summary>
internal sealed class AccountBook(string account, SharedAccounts shared, SharedQuotas nodes, SteadyClock clock)
{
    private readonly SharedAccounts.LastSeen _seen = new();
    private volatile AccountState? _alone;
    private volatile IReadOnlyList<string> _dead = [];
    private volatile int _nodes = 1;
    private int _spentAlone;

    /// <summary>Nodes that use the account, as far as it is known. Any thread may ask.</summary>
    public int Nodes => _nodes;

    /// <summary>Fingerprints of dead credentials. Any thread may ask.</summary>
    public IReadOnlyList<string> Dead => _dead;

    /// <summary>Whether there is something that the others were not told.</summary>
    public bool IsAlone => _alone is not null;

    /// <summary>
    /// What time it is for the account, in microseconds since 1970: by the clock of Redis, as far as that is known,
    /// else by this node's steady clock.
    /// </summary>
    public double Now => shared.IsConfigured && _seen.Own is not null ? _seen.Now : clock.Microseconds;

    public async ValueTask<NodeReply> AskAsync(NodeReport report, AccountLimits limits)
    {
        var reply = shared.IsAvailable ? await AskSharedAsync(report, limits) : null;
        reply ??= shared.IsConfigured ? AskAlone(report, limits) : (_alone ??= new AccountState()).Exchange(report, limits, Now);
        if ((_alone ?? _seen.Own)?.Health.Dead is { } dead && !_dead.SequenceEqual(dead)) _dead = [.. dead];
        return reply;
    }

    private async ValueTask<NodeReply?> AskSharedAsync(NodeReport report, AccountLimits limits)
    {
        var (alone, spent) = (_alone, _spentAlone);
        var reply = await shared.ChangeAsync(account, _seen, (state, now) =>
        {
            if (alone is not null) state.Health.Merge(alone.Health);
            return state.Exchange(report with { SpentAlone = spent }, limits, now, _seen.Uncertainty);
        });
        if (reply is null || reply == NodeReply.NotHeard) return reply;
        (_alone, _spentAlone, _nodes) = (null, 0, Math.Max(1, _seen.Own!.Nodes.Count));
        return reply;
    }

    // By the clock of Redis still, as far as it is known.
    private NodeReply AskAlone(NodeReport report, AccountLimits limits)
    {
        var (share, now) = (limits.Share(nodes.Nodes), Now);
        var reply = (_alone ??= AccountState.Alone(_seen.Own?.Health, share, now)).Exchange(report, share, now, _seen.Uncertainty);
        _spentAlone += reply.Granted.Count;
        return reply;
    }
}

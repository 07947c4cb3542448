using Gateway.Limits;

namespace Gateway.Upstream;

/// <summary>
/// One account, as all nodes together know it: what is left of its budget, which nodes have calls under way or waiting, and
/// whether it may be used at all. It is the same in a node's memory and in Redis. Times are microseconds since 1970, by one
/// clock: that of Redis, where there is one.
/// </summary>
internal sealed class AccountState
{
    // A node that is waiting for calls says so more often.
    private const double WaitingStay = 0.5e6;

    // Nodes know what time it is for Redis to some seconds, at the worst; what is more is a clock that was set back.
    private const double LeastStep = 5e6;

    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(25), Yield = TimeSpan.FromMilliseconds(10);

    /// <summary>Tells it from one that was begun anew, because the former was lost.</summary>
    public string Origin { get; set; } = "";

    /// <summary>When it was changed last.</summary>
    public double ChangedAt { get; set; }

    /// <summary>When the whole burst is there again (<see cref="Gcra"/>).</summary>
    public double Restored { get; set; }

    public FairOrder Order { get; set; } = new();

    public AccountHealth Health { get; set; } = new();

    public Dictionary<string, NodeCalls> Nodes { get; set; } = new(StringComparer.Ordinal);

    /// <summary>What a node makes of the last it knew, where it can ask nobody any more: it begins with nothing left.</summary>
    public static AccountState Alone(AccountHealth? known, AccountLimits share, double now)
    {
        var alone = new AccountState { Restored = share.Budget.With(0, now) };
        if (known is not null) alone.Health.Merge(known);
        return alone;
    }

    /// <summary>Hears a node, and says what it may do.</summary>
    /// <param name="uncertainty">By how much it may be later than that, in microseconds.</param>
    public NodeReply Exchange(NodeReport report, AccountLimits limits, double now, double uncertainty = 0)
    {
        if (ChangedAt > now + LeastStep) Move(now - ChangedAt);
        ChangedAt = now;
        Health.Bound(now);
        Restored = limits.Budget.Take(Restored, now, report.SpentAlone + report.Late.TotalMicroseconds / limits.Budget.Interval);
        foreach (var replaced in report.Replaced) Health.Dead.Remove(replaced);
        foreach (var call in report.Ended) Health.Note(call, report.Credentials, now, uncertainty);
        Register(report, limits, now);
        // The first that is not known to be dead, else the last.
        var used = 0;
        while (used < report.Credentials.Length - 1 && Health.Dead.Contains(report.Credentials[used])) used++;
        var credential = report.Credentials[used];

        var granted = new List<(CallRank, string)>();
        var closed = Health.ClosedFor(credential, now);
        var trial = Health.NextTrial(credential, hasOther: used < report.Credentials.Length - 1, now);
        var onlyOther = Health.IsInDoubt(credential, now) || trial > now;
        if (closed?.Reason != UpstreamFault.Paused) Grant(report.Node, limits, now, granted, onlyOther, isSuspect: Health.IsSuspect(credential), atMost: trial is null ? int.MaxValue : 1);

        var isTrial = trial is not null && granted.Exists(call => call.Item1 != CallRank.OtherCredential);
        if (isTrial) Health.Try(credential, now);
        Order.Prune();
        return new NodeReply(granted, used, Health.StandingOf(credential, now), isTrial, closed, Wait(limits, closed, trial, onlyOther, now));
    }

    // The clock was set back since the last change: what was to come then comes as soon as it was to.
    private void Move(double by)
    {
        Restored += by;
        Health.Move(by);
        foreach (var (node, calls) in Nodes) Nodes[node] = calls with { Until = calls.Until + by, WaitingUntil = calls.WaitingUntil + by };
    }

    private void Register(NodeReport report, AccountLimits limits, double now)
    {
        Nodes[report.Node] = new NodeCalls(
            report.UnderWay, now + limits.CallTime.TotalMicroseconds, report.Waiting, report.Waiting.Length == 0 ? 0 : now + WaitingStay);
        foreach (var (node, calls) in Nodes)
        {
            // One from another clock would stay for ever.
            var isGone = calls.Until <= now || calls.Until > now + 2 * limits.CallTime.TotalMicroseconds;
            if (isGone || (node != report.Node && calls is { UnderWay: 0 } && calls.WaitingUntil <= now)) Nodes.Remove(node);
        }
    }

    private void Grant(string node, AccountLimits limits, double now, List<(CallRank Rank, string Team)> granted, bool onlyOther, bool isSuspect, int atMost)
    {
        var room = Math.Min(limits.Budget.Available(Restored, now), limits.MaxConcurrentRequests - UnderWay());
        if (room <= 0) return;
        var claims = ClaimsFor(node, onlyOther, now);
        if (claims.Count == 0) return;
        // What is another node's turn is left for it.
        var ahead = claims.TrueForAll(claim => claim.IsOurs) ? Order : Order.Copy();
        // Refused jobs are read first for ever: they are not to be all that is tried.
        while (room-- > 0 && ahead.Choose(claims, byRank: !isSuspect) is >= 0 and var best)
        {
            var claim = claims[best];
            if (claim.Rank != CallRank.OtherCredential && atMost-- <= 0) break;
            claim.Left--;
            var refreshesWait = claims.Exists(other => other is { Rank: CallRank.Refresh, Left: > 0 });
            ahead.Serve(claim, refreshesWait);
            if (!claim.IsOurs) continue;
            if (ahead != Order) Order.ServeAhead(claim, refreshesWait, claims);
            granted.Add((claim.Rank, claim.Team));
        }
        Restored = limits.Budget.Take(Restored, now, granted.Count);
        if (granted.Count == 0) return;
        var (ours, waiting) = (Nodes[node], new WaitingCalls[Nodes[node].Waiting.Length]);
        for (var i = 0; i < waiting.Length; i++)
        {
            // The others are not to leave anything to calls that go out now.
            waiting[i] = ours.Waiting[i];
            foreach (var (rank, team) in granted)
            {
                if ((rank, team) == (waiting[i].Rank, waiting[i].Team)) waiting[i] = waiting[i] with { Count = waiting[i].Count - 1 };
            }
        }
        Nodes[node] = ours with { UnderWay = ours.UnderWay + granted.Count, Waiting = waiting };
    }

    // What all nodes have waiting, as far as it may go out.
    private List<FairOrder.Claim> ClaimsFor(string node, bool onlyOther, double now)
    {
        var claims = new List<FairOrder.Claim>();
        foreach (var (name, calls) in Nodes)
        {
            if (calls.WaitingUntil <= now) continue;
            foreach (var (rank, team, count) in calls.Waiting)
            {
                if (rank == CallRank.OtherCredential || !onlyOther) claims.Add(new FairOrder.Claim(rank, team, name == node, count));
            }
        }
        return claims;
    }

    private long UnderWay()
    {
        var all = 0L;
        foreach (var calls in Nodes.Values) all += calls.UnderWay;
        return all;
    }

    private TimeSpan Wait(AccountLimits limits, Closed? closed, double? trial, bool onlyOther, double now)
    {
        if (closed?.Reason == UpstreamFault.Paused) return TimeSpan.FromMicroseconds(closed.Value.Until - now);
        var forPermit = limits.Budget.Wait(Restored, now);
        if (forPermit > TimeSpan.Zero) return forPermit;
        if (trial > now) return TimeSpan.FromMicroseconds(Math.Min(trial.Value - now, Poll.TotalMicroseconds));
        return onlyOther || UnderWay() >= limits.MaxConcurrentRequests ? Poll : Yield;
    }

    /// <summary>The calls of one node.</summary>
    /// <param name="Until">By then those under way have ended, also where the node has died.</param>
    internal sealed record NodeCalls(int UnderWay, double Until, WaitingCalls[] Waiting, double WaitingUntil);
}

using Gateway.Limits;

namespace Gateway.Upstream;

/// <summary>
/// One account, as all nodes together know it: what is left of its budget, which nodes have calls under way or waiting,
/// and whether it may be used at all. It is the same in a node's memory and in Redis. Times are microseconds since
/// 1970, by one clock: that of Redis, where there is one.
/// </summary>
internal sealed class AccountState
{
    // A node that is waiting for calls says so more often.
    private const double WaitingStay = 0.5e6;

    // At the worst, a node knows Redis's time to some seconds. A larger difference means that the clock was set back.
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

    /// <summary>
    /// What a node makes of the last it knew, where it can ask nobody any more: it begins with nothing left.
    /// </summary>
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
        foreach (var replaced in report.Replaced) Health.Forgive(replaced);
        foreach (var call in report.Ended) Health.Note(call, report.Credentials, now, uncertainty);
        Register(report, limits, now);
        // The first that is not known to be dead, else the last.
        var used = 0;
        while (used < report.Credentials.Length - 1 && Health.Dead.Contains(report.Credentials[used])) used++;
        var credential = report.Credentials[used];

        var trialJob = StartTrial(report.Node, credential, limits, now);
        var granted = new List<(CallRank, string)>();
        var closed = Health.ClosedFor(credential, now);
        var trial = Health.NextTrial(credential, hasOther: used < report.Credentials.Length - 1, now);
        var onlyOther = Health.IsInDoubt(credential, now) || trial > now;
        // Jobs that are refused or fail are read first for ever: they are not to be all that is tried.
        var byRank = !Health.IsHalfOpen(credential) && !Health.Circuit.IsOpen;
        var isHeldBack = false;
        if (closed?.Reason != UpstreamFault.Paused)
        {
            var atMost = trial is null ? int.MaxValue : 1;
            isHeldBack = Grant(report.Node, limits, now, granted, onlyOther, byRank, atMost);
        }

        var isTrial = trial is not null && granted.Exists(call => call.Item1 != CallRank.OtherCredential);
        if (isTrial) Health.Try(credential, now);
        Order.Prune();
        return new NodeReply(granted, used, Health.StandingOf(credential, now), isTrial, closed,
            Wait(limits, closed, trial, onlyOther || isHeldBack, now))
        {
            TrialJob = trialJob,
            Causes = Array.ConvertAll(report.Credentials, one => Health.CauseOf(one, now)),
        };
    }

    // A trial with a job that worked before takes part in the budget, and goes before callers' calls.
    private string? StartTrial(string node, string credential, AccountLimits limits, double now)
    {
        var room = Math.Min(limits.Budget.Available(Restored, now), limits.MaxConcurrentRequests - UnderWay());
        if (room <= 0) return null;
        var isWaiting = ClaimsFor(node, onlyOther: false, now).Count > 0;
        if (Health.TrialJob(credential, isWaiting, now) is not { } job) return null;
        Health.TryKnownJob(credential, now);
        Restored = limits.Budget.Take(Restored, now, 1);
        Nodes[node] = Nodes[node] with { UnderWay = Nodes[node].UnderWay + 1 };
        return job;
    }

    // Keeps the time that is left until each moment, after the clock was set back.
    private void Move(double by)
    {
        Restored += by;
        Health.Move(by);
        foreach (var (node, calls) in Nodes)
        {
            Nodes[node] = calls with { Until = calls.Until + by, WaitingUntil = calls.WaitingUntil + by };
        }
    }

    private void Register(NodeReport report, AccountLimits limits, double now)
    {
        Nodes[report.Node] = new NodeCalls(
            report.UnderWay, now + limits.CallTime.TotalMicroseconds, report.Waiting,
            report.Waiting.Length == 0 ? 0 : now + WaitingStay)
        {
            Teams = new Dictionary<string, int>(report.UnderWayByTeam, StringComparer.Ordinal),
        };
        foreach (var (node, calls) in Nodes)
        {
            // One from another clock would stay for ever.
            var isGone = calls.Until <= now || calls.Until > now + 2 * limits.CallTime.TotalMicroseconds;
            if (isGone || (node != report.Node && calls is { UnderWay: 0 } && calls.WaitingUntil <= now)) Nodes.Remove(node);
        }
    }

    /// <returns>Whether calls are left that wait for their team's share of the calls under way.</returns>
    private bool Grant(
        string node, AccountLimits limits, double now, List<(CallRank Rank, string Team)> granted, bool onlyOther,
        bool byRank, int atMost)
    {
        var free = limits.MaxConcurrentRequests - UnderWay();
        var room = Math.Min(limits.Budget.Available(Restored, now), free);
        if (room <= 0) return false;
        var claims = ClaimsFor(node, onlyOther, now);
        if (claims.Count == 0) return false;
        var held = UnderWayByTeam();
        // What is another node's turn is left for it.
        var ahead = claims.TrueForAll(claim => claim.IsOurs) ? Order : Order.Copy();
        while (room-- > 0)
        {
            foreach (var waiting in claims)
            {
                waiting.IsHeldBack = waiting.Rank != CallRank.OtherCredential
                    && !limits.MayTakePlace(held.GetValueOrDefault(waiting.Team), free);
            }
            if (ahead.Choose(claims, byRank) is not (>= 0 and var best)) break;
            var claim = claims[best];
            if (claim.Rank != CallRank.OtherCredential && atMost-- <= 0) break;
            claim.Left--;
            free--;
            held[claim.Team] = held.GetValueOrDefault(claim.Team) + 1;
            var refreshesWait = claims.Exists(other => other is { Rank: CallRank.Refresh, MayGo: true });
            ahead.Serve(claim, refreshesWait);
            if (!claim.IsOurs) continue;
            if (ahead != Order) Order.ServeAhead(claim, refreshesWait, claims);
            granted.Add((claim.Rank, claim.Team));
        }
        Restored = limits.Budget.Take(Restored, now, granted.Count);
        if (granted.Count > 0) Nodes[node] = WithGranted(Nodes[node], granted);
        return claims.Exists(claim => claim is { IsOurs: true, IsHeldBack: true, Left: > 0 });
    }

    private static NodeCalls WithGranted(NodeCalls ours, List<(CallRank Rank, string Team)> granted)
    {
        var waiting = new WaitingCalls[ours.Waiting.Length];
        for (var i = 0; i < waiting.Length; i++)
        {
            // The others are not to leave anything to calls that go out now.
            waiting[i] = ours.Waiting[i];
            foreach (var (rank, team) in granted)
            {
                if ((rank, team) == (waiting[i].Rank, waiting[i].Team)) waiting[i] = waiting[i] with { Count = waiting[i].Count - 1 };
            }
        }
        var teams = new Dictionary<string, int>(ours.Teams ?? [], StringComparer.Ordinal);
        foreach (var (_, team) in granted) teams[team] = teams.GetValueOrDefault(team) + 1;
        return ours with { UnderWay = ours.UnderWay + granted.Count, Waiting = waiting, Teams = teams };
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

    private Dictionary<string, int> UnderWayByTeam()
    {
        var all = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var calls in Nodes.Values)
        {
            foreach (var (team, count) in calls.Teams ?? []) all[team] = all.GetValueOrDefault(team) + count;
        }
        return all;
    }

    private TimeSpan Wait(AccountLimits limits, Closed? closed, double? trial, bool isHeldBack, double now)
    {
        if (closed?.Reason == UpstreamFault.Paused) return TimeSpan.FromMicroseconds(closed.Value.Until - now);
        var forPermit = limits.Budget.Wait(Restored, now);
        if (forPermit > TimeSpan.Zero) return forPermit;
        if (trial > now) return TimeSpan.FromMicroseconds(Math.Min(trial.Value - now, Poll.TotalMicroseconds));
        return isHeldBack || UnderWay() >= limits.MaxConcurrentRequests ? Poll : Yield;
    }

    /// <summary>The calls of one node.</summary>
    /// <param name="Until">By then those under way have ended, also where the node has died.</param>
    internal sealed record NodeCalls(int UnderWay, double Until, WaitingCalls[] Waiting, double WaitingUntil)
    {
        /// <summary>Those under way, by the team whose turn they took; null: a node that does not tell.</summary>
        public Dictionary<string, int>? Teams { get; init; }
    }
}

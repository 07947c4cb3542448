using Gateway.Limits;

namespace Gateway.Upstream;

/// <summary>
/// The state of one account, and its transition: a node's report, the limits and the time give a new state and a reply.
/// The transition is pure: it uses no clock, no Redis and no log. All nodes share one state in Redis; a node without
/// Redis has a state in its memory. <c>docs/account-budget.md</c> explains the state.
/// </summary>
internal sealed class AccountState
{
    // A node reports more often than this while calls wait on it.
    private const double WaitingStay = 0.5e6;

    // A node knows Redis's time to some seconds at the worst. A larger difference means that the clock was set back.
    private const double LeastStep = 5e6;

    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(25), Yield = TimeSpan.FromMilliseconds(10);

    // Shorter than WaitingStay, so that the claim of a node with waiting polls does not expire.
    private static readonly TimeSpan LongestPollWait = TimeSpan.FromMilliseconds(400);

    /// <summary>A random id of the shared state. If Redis loses the state, the next state has another id.</summary>
    public string Origin { get; set; } = "";

    /// <summary>When the state was changed last, in microseconds since 1970, by Redis's clock.</summary>
    public double ChangedAt { get; set; }

    /// <summary>
    /// The lead of the account's clock over Redis's clock. The lead grows when Redis's clock is set back. All other
    /// times are by the account's clock, so a clock that is set back by a noticed step neither prolongs nor shortens a
    /// wait.
    /// </summary>
    public double ClockOffset { get; set; }

    /// <summary>When the token bucket is full again (<see cref="Gcra"/>).</summary>
    public double FullAt { get; set; }

    public FairScheduler Turns { get; set; } = new();

    /// <summary>
    /// The turns of polls of watched jobs. A node of an earlier version does not store them; then they start again.
    /// </summary>
    public PollTurns Polls { get; set; } = new();

    public AccountHealth Health { get; set; } = new();

    /// <summary>The calls of each node.</summary>
    public Dictionary<string, NodeCalls> Nodes { get; set; } = new(StringComparer.Ordinal);

    /// <summary>The state of a node that has lost Redis. Its bucket is empty at first.</summary>
    /// <param name="known">The last shared state that the node knows.</param>
    /// <param name="share">The node's share of the limits.</param>
    public static AccountState Alone(AccountState? known, AccountLimits share, double redisTime)
    {
        var alone = new AccountState { ClockOffset = known?.ClockOffset ?? 0 };
        alone.FullAt = share.Budget.With(0, redisTime + alone.ClockOffset);
        if (known is not null) alone.Health.Merge(known.Health);
        return alone;
    }

    /// <summary>Adds what another copy knows about the account's health.</summary>
    public void MergeHealth(AccountState other) => Health.Merge(other.Health, ClockOffset - other.ClockOffset);

    /// <summary>Adds all that a node knows, after Redis has lost the state. Calls under way go on.</summary>
    public void Recover(AccountState known)
    {
        var by = ClockOffset - known.ClockOffset;
        FullAt = Math.Max(FullAt, known.FullAt + by);
        MergeHealth(known);
        foreach (var (node, calls) in known.Nodes)
        {
            Nodes.TryAdd(node, calls with { Until = calls.Until + by, Waiting = [], WaitingUntil = 0 });
        }
    }

    /// <summary>Takes a node's report, and decides which of its calls may go out.</summary>
    /// <param name="redisTime">The time, in microseconds since 1970.</param>
    /// <param name="uncertainty">How far the true time may be ahead of that, in microseconds.</param>
    public NodeReply Exchange(NodeReport report, AccountLimits limits, double redisTime, double uncertainty = 0)
    {
        // 1. Advance the account's clock.
        if (ChangedAt > redisTime + LeastStep) ClockOffset += ChangedAt - redisTime;
        ChangedAt = redisTime;
        var now = redisTime + ClockOffset;
        Health.Bound(now);

        // 2. Record what the node reports.
        var spent = report.SpentAlone + report.Late.TotalMicroseconds / limits.Budget.Interval;
        FullAt = limits.Budget.Take(FullAt, now, spent);
        foreach (var replaced in report.Replaced) Health.Reset(replaced);
        foreach (var call in report.Ended) Health.Record(call, report.Credentials, now, uncertainty);
        Register(report, limits, now);

        // 3. Choose the first credential that is not dead, or else the last one.
        var used = Array.FindIndex(report.Credentials, one => !Health.IsDead(one));
        if (used < 0) used = report.Credentials.Length - 1;
        var credential = report.Credentials[used];

        // 4. Start a trial if one is needed. The trial goes before callers' calls.
        var trialJob = StartTrial(report.Node, credential, limits, now);

        // 5. Grant calls.
        var closed = Health.ClosedFor(credential, now);
        var probe = Health.NextProbe(credential, hasOther: used < report.Credentials.Length - 1, now);
        var rules = new GrantRules(
            OnlyOther: Health.IsInDoubt(credential, now) || probe > now,
            ByRank: !Health.IsHalfOpen(credential) && !Health.Circuit.IsOpen,
            AtMost: probe is null ? int.MaxValue : 1);
        var isPaused = closed?.Reason == UpstreamFault.Paused;
        List<(CallRank Rank, string Team)> granted = [];
        var isHeldBack = !isPaused && Grant(report.Node, limits, rules, now, granted);
        if (!isPaused && !rules.OnlyOther) GrantPolls(report.Node, limits, rules.AtMost, now, granted);
        var isProbe = probe is not null && granted.Exists(call => call.Rank != CallRank.OtherCredential);
        if (isProbe) Health.StartProbe(credential, now);
        Turns.Prune();

        var wait = isPaused
            ? TimeSpan.FromMicroseconds(closed!.Value.Until - now)
            : report.Waiting.Length > 0 && Array.TrueForAll(report.Waiting, calls => calls.Rank == CallRank.Watch)
            ? WaitForPoll(limits, now)
            : WaitFor(limits, probe, rules.OnlyOther || isHeldBack, now);
        return new NodeReply(granted, used, Health.StandingOf(credential, now), isProbe,
            closed is { } reason ? reason with { Until = reason.Until - ClockOffset } : null, wait)
        {
            TrialJob = trialJob,
            Causes = Array.ConvertAll(report.Credentials, one => Health.CauseOf(one, now)),
        };
    }

    private void Register(NodeReport report, AccountLimits limits, double now)
    {
        var longest = limits.CallTime.TotalMicroseconds;
        Nodes[report.Node] = new NodeCalls(
            new Dictionary<string, int>(report.UnderWay, StringComparer.Ordinal), now + longest,
            report.Waiting, report.Waiting.Length == 0 ? 0 : now + WaitingStay);
        foreach (var (node, calls) in Nodes)
        {
            // An entry that was written by another clock would stay for ever.
            var isGone = calls.Until <= now || calls.Until > now + 2 * longest;
            var isIdle = calls.UnderWay.Count == 0 && calls.WaitingUntil <= now;
            if (isGone || (isIdle && node != report.Node)) Nodes.Remove(node);
        }
    }

    private string? StartTrial(string node, string credential, AccountLimits limits, double now)
    {
        if (limits.Budget.Available(FullAt, now) <= 0 || CountUnderWay() >= limits.MaxConcurrentRequests) return null;
        var isWaiting = ClaimsFor(node, onlyOther: false, now).Count > 0;
        if (Health.TrialJob(credential, isWaiting, now) is not { } job) return null;
        Health.StartTrial(credential, now);
        FullAt = limits.Budget.Take(FullAt, now, 1);
        Nodes[node] = Nodes[node].WithGranted([(CallRank.FirstRead, NodeCalls.NoTeam)]);
        return job;
    }

    /// <returns>Whether calls of this node still wait for their team's share of the places.</returns>
    private bool Grant(
        string node, AccountLimits limits, GrantRules rules, double now, List<(CallRank Rank, string Team)> granted)
    {
        var held = UnderWay();
        var free = limits.MaxConcurrentRequests - held.Values.Sum();
        var room = Math.Min(limits.Budget.Available(FullAt, now), free);
        var claims = ClaimsFor(node, rules.OnlyOther, now);
        if (room <= 0 || claims.Count == 0) return false;
        var atMost = rules.AtMost;
        // Calls whose turn it is on another node keep their permits.
        var ahead = claims.TrueForAll(claim => claim.IsOurs) ? Turns : Turns.Copy();
        while (room-- > 0)
        {
            foreach (var waiting in claims)
            {
                waiting.IsHeldBack = waiting.Rank != CallRank.OtherCredential
                    && !limits.MayTakePlace(held.GetValueOrDefault(waiting.Team), free);
            }
            if (ahead.Choose(claims, rules.ByRank) is not { } claim) break;
            if (claim.Rank != CallRank.OtherCredential && atMost-- <= 0) break;
            claim.Left--;
            free--;
            held[claim.Team] = held.GetValueOrDefault(claim.Team) + 1;
            var refreshesWait = claims.Exists(other => other is { Rank: CallRank.Refresh, MayGo: true });
            ahead.Serve(claim, refreshesWait);
            if (!claim.IsOurs) continue;
            if (ahead != Turns) Turns.ServeAhead(claim, refreshesWait, claims);
            granted.Add((claim.Rank, claim.Team));
        }
        FullAt = limits.Budget.Take(FullAt, now, granted.Count);
        Nodes[node] = Nodes[node].WithGranted(granted);
        return claims.Exists(claim => claim is { IsOurs: true, IsHeldBack: true, Left: > 0 });
    }

    /// <summary>
    /// Grants polls of watched jobs. They rank behind callers, who wait for an answer: no poll goes out while another
    /// call waits on any node, and polls take only what callers leave.
    /// </summary>
    /// <param name="atMost">The most calls, beside those of <see cref="CallRank.OtherCredential"/>.</param>
    private void GrantPolls(
        string node, AccountLimits limits, int atMost, double now, List<(CallRank Rank, string Team)> granted)
    {
        var claims = PollClaims(node, now);
        if (claims.Count == 0 || ClaimsFor(node, onlyOther: false, now).Exists(claim => claim.Count > 0)) return;
        atMost -= granted.Count(call => call.Rank != CallRank.OtherCredential);
        var (free, fullAt) = ((long)limits.MaxConcurrentRequests - CountUnderWay(), FullAt);
        // Polls whose turn it is on another node keep their permits.
        var ahead = claims.TrueForAll(claim => claim.IsOurs) ? Polls : Polls.Copy();
        List<(CallRank Rank, string Team)> polls = [];
        while (limits.HasSpare(fullAt, free, now) && atMost-- > 0 && ahead.Choose(claims) is { } claim)
        {
            ahead.Serve(claim, claims);
            if (claim.IsOurs && ahead != Polls) Polls.Serve(claim, claims);
            claim.Left--;
            free--;
            fullAt = limits.Budget.Take(fullAt, now, 1);
            if (!claim.IsOurs) continue;
            FullAt = limits.Budget.Take(FullAt, now, 1);
            polls.Add((CallRank.Watch, claim.Team));
        }
        Nodes[node] = Nodes[node].WithGranted(polls);
        granted.AddRange(polls);
    }

    private List<PollTurns.Claim> PollClaims(string node, double now)
    {
        var waiting = new List<(string Node, string Team, int Count)>();
        foreach (var (name, calls) in Nodes)
        {
            if (calls.WaitingUntil <= now) continue;
            waiting.AddRange(calls.Waiting.Where(one => one is { Rank: CallRank.Watch, Count: > 0 })
                .Select(one => (name, one.Team, one.Count)));
        }
        var all = waiting.GroupBy(one => one.Team, StringComparer.Ordinal)
            .ToDictionary(team => team.Key, team => team.Sum(one => (double)one.Count), StringComparer.Ordinal);
        return waiting.ConvertAll(one =>
            new PollTurns.Claim(one.Node, one.Team, one.Node == node, one.Count, one.Count / all[one.Team]));
    }

    // The calls that wait on all nodes and may go out, without polls of watched jobs.
    private List<FairScheduler.Claim> ClaimsFor(string node, bool onlyOther, double now)
    {
        var claims = new List<FairScheduler.Claim>();
        foreach (var (name, calls) in Nodes)
        {
            if (calls.WaitingUntil <= now) continue;
            foreach (var (rank, team, count) in calls.Waiting)
            {
                if (rank == CallRank.Watch || (onlyOther && rank != CallRank.OtherCredential)) continue;
                claims.Add(new FairScheduler.Claim(rank, team, name == node, count));
            }
        }
        return claims;
    }

    private Dictionary<string, int> UnderWay()
    {
        var all = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var (team, count) in Nodes.Values.SelectMany(calls => calls.UnderWay))
        {
            all[team] = all.GetValueOrDefault(team) + count;
        }
        return all;
    }

    private int CountUnderWay() => UnderWay().Values.Sum();

    private TimeSpan WaitFor(AccountLimits limits, double? probe, bool isHeldBack, double now)
    {
        var forPermit = limits.Budget.Wait(FullAt, now);
        if (forPermit > TimeSpan.Zero) return forPermit;
        if (probe > now) return TimeSpan.FromMicroseconds(Math.Min(probe.Value - now, Poll.TotalMicroseconds));
        return isHeldBack || CountUnderWay() >= limits.MaxConcurrentRequests ? Poll : Yield;
    }

    private TimeSpan WaitForPoll(AccountLimits limits, double now)
    {
        var wait = limits.SpareFrom(FullAt, now) - now;
        if (wait > LongestPollWait.TotalMicroseconds) return LongestPollWait;
        return wait > 0 ? TimeSpan.FromMicroseconds(Math.Ceiling(wait)) : Poll;
    }

    /// <param name="OnlyOther">Whether only <see cref="CallRank.OtherCredential"/> may go out.</param>
    /// <param name="ByRank">
    /// Whether first reads go before refreshes. Jobs that are refused or fail stay first reads for ever, and probes
    /// must not be made with them alone.
    /// </param>
    /// <param name="AtMost">The most calls, beside those of <see cref="CallRank.OtherCredential"/>.</param>
    private readonly record struct GrantRules(bool OnlyOther, bool ByRank, int AtMost);

    /// <summary>The calls of one node.</summary>
    /// <param name="UnderWay">Calls under way by team.</param>
    /// <param name="Until">When the calls under way have ended, even if the node has died.</param>
    /// <param name="WaitingUntil">When the waiting calls no longer count.</param>
    internal sealed record NodeCalls(
        Dictionary<string, int> UnderWay, double Until, WaitingCalls[] Waiting, double WaitingUntil)
    {
        /// <summary>Trials and polls of watched jobs are counted as calls of no team.</summary>
        public const string NoTeam = "";

        /// <summary>The same after calls were granted: they no longer wait.</summary>
        public NodeCalls WithGranted(List<(CallRank Rank, string Team)> granted)
        {
            var underWay = new Dictionary<string, int>(UnderWay, StringComparer.Ordinal);
            foreach (var (rank, team) in granted)
            {
                var holder = rank == CallRank.Watch ? NoTeam : team;
                underWay[holder] = underWay.GetValueOrDefault(holder) + 1;
            }
            return this with
            {
                UnderWay = underWay,
                Waiting = Array.ConvertAll(Waiting, calls => calls with
                {
                    Count = calls.Count - granted.Count(call => call == (calls.Rank, calls.Team)),
                }),
            };
        }
    }
}

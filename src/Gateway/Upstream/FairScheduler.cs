namespace Gateway.Upstream;

/// <summary>
/// Decides whose call goes out next. Teams take turns, no matter how many calls each has waiting (start-time fair
/// queuing, all calls cost the same). First reads go before refreshes, but each fifth call is a refresh if both wait.
/// </summary>
internal sealed class FairScheduler
{
    private const int ReadsBetweenRefreshes = 4;

    /// <summary>The virtual time of the last call. A team that had no calls starts from here.</summary>
    public double VirtualTime { get; set; }

    /// <summary>The virtual time at which each team's last call ends.</summary>
    public Dictionary<string, double> Served { get; set; } = new(StringComparer.Ordinal);

    /// <summary>First reads that went out since the last refresh, while a refresh waited.</summary>
    public int ReadsInRow { get; set; }

    /// <summary>Returns a copy, to plan further calls.</summary>
    public FairScheduler Copy() => new()
    {
        VirtualTime = VirtualTime,
        ReadsInRow = ReadsInRow,
        Served = new Dictionary<string, double>(Served, StringComparer.Ordinal),
    };

    /// <summary>Chooses the claim whose call goes out next.</summary>
    /// <param name="byRank">Whether first reads go before refreshes.</param>
    /// <returns>Null: no call of a claim may go out.</returns>
    public Claim? Choose(List<Claim> claims, bool byRank = true)
    {
        var rank = RankToServe(claims);
        Claim? best = null;
        foreach (var claim in claims)
        {
            if (!claim.MayGo) continue;
            if (claim.Rank != rank && (byRank || rank == CallRank.OtherCredential)) continue;
            if (best is null || IsBefore(claim, best)) best = claim;
        }
        return best;
    }

    /// <summary>Records that a call of a claim goes out.</summary>
    public void Serve(Claim claim, bool refreshesWait)
    {
        VirtualTime = StartOf(claim.Team);
        Served[claim.Team] = VirtualTime + 1;
        ReadsInRow = claim.Rank == CallRank.Refresh || !refreshesWait ? 0 : ReadsInRow + 1;
    }

    /// <summary>
    /// Records that a call goes out before calls of the same rank on other nodes whose turn it was. Those calls keep
    /// their turn.
    /// </summary>
    public void ServeAhead(Claim claim, bool refreshesWait, List<Claim> claims)
    {
        var before = VirtualTime;
        Serve(claim, refreshesWait);
        foreach (var other in claims)
        {
            if (other.IsOurs || other.IsHeldBack || other.Count == 0 || other.Rank != claim.Rank) continue;
            VirtualTime = Math.Min(VirtualTime, Math.Max(before, Served.GetValueOrDefault(other.Team)));
        }
    }

    /// <summary>Forgets teams that are not ahead of a team without calls.</summary>
    public void Prune()
    {
        foreach (var (team, served) in Served)
        {
            if (served <= VirtualTime) Served.Remove(team);
        }
    }

    private CallRank? RankToServe(List<Claim> claims)
    {
        CallRank? first = null;
        var refreshesWait = false;
        foreach (var claim in claims)
        {
            if (!claim.MayGo) continue;
            if (first is null || claim.Rank < first) first = claim.Rank;
            refreshesWait |= claim.Rank == CallRank.Refresh;
        }
        var isRefreshDue = refreshesWait && ReadsInRow >= ReadsBetweenRefreshes;
        return first == CallRank.FirstRead && isRefreshDue ? CallRank.Refresh : first;
    }

    private double StartOf(string team) => Math.Max(VirtualTime, Served.GetValueOrDefault(team));

    // Among equals, the asking node goes first: its call can go out at once.
    private bool IsBefore(Claim one, Claim other)
    {
        var (a, b) = (StartOf(one.Team), StartOf(other.Team));
        return a != b ? a < b : one.IsOurs && !other.IsOurs;
    }

    /// <summary>The calls of one rank and team that wait on one node.</summary>
    /// <param name="IsOurs">Whether they wait on the node that reports.</param>
    internal sealed record Claim(CallRank Rank, string Team, bool IsOurs, int Count)
    {
        public int Left { get; set; } = Count;

        /// <summary>Whether the team already has its share of the calls under way.</summary>
        public bool IsHeldBack { get; set; }

        public bool MayGo => Left > 0 && !IsHeldBack;
    }
}

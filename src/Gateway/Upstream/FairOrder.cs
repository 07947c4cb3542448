namespace Gateway.Upstream;

/// <summary>
/// Whose call goes out next: teams take turns, however many calls each has waiting (start-time fair queuing, every call
/// costs the same). First reads go before refreshes, but for each fifth call: no flood of cold jobs stops running ones.
/// </summary>
internal sealed class FairOrder
{
    private const int ReadsBetweenRefreshes = 4;

    /// <summary>How far service has come; a team that was away begins here.</summary>
    public double Virtual { get; set; }

    /// <summary>How far each team has been served.</summary>
    public Dictionary<string, double> Served { get; set; } = new(StringComparer.Ordinal);

    /// <summary>First reads that went out since the last refresh, while a refresh was waiting.</summary>
    public int ReadsInRow { get; set; }

    /// <summary>The same, to look ahead with.</summary>
    public FairOrder Copy() =>
        new() { Virtual = Virtual, ReadsInRow = ReadsInRow, Served = new Dictionary<string, double>(Served, StringComparer.Ordinal) };

    /// <summary>The best of those of which any are waiting.</summary>
    /// <param name="byRank">Whether first reads go before refreshes.</param>
    /// <returns>Its index, or -1.</returns>
    public int Choose(List<Claim> claims, bool byRank = true)
    {
        var rank = RankToServe(claims);
        var best = -1;
        for (var i = 0; i < claims.Count; i++)
        {
            if (!claims[i].MayGo) continue;
            if (claims[i].Rank != rank && (byRank || rank == CallRank.OtherCredential)) continue;
            if (best < 0 || IsBefore(claims[i], claims[best])) best = i;
        }
        return best;
    }

    /// <summary>Takes note that one of its calls goes out.</summary>
    public void Serve(Claim claim, bool refreshesWait)
    {
        Virtual = Start(claim.Team);
        Served[claim.Team] = Virtual + 1;
        ReadsInRow = claim.Rank == CallRank.Refresh || !refreshesWait ? 0 : ReadsInRow + 1;
    }

    /// <summary>
    /// The same, where others of the same rank that other nodes have waiting keep the turn that was theirs.
    /// </summary>
    public void ServeAhead(Claim claim, bool refreshesWait, List<Claim> claims)
    {
        var before = Virtual;
        Serve(claim, refreshesWait);
        foreach (var other in claims)
        {
            if (other.IsOurs || other.IsHeldBack || other.Count == 0 || other.Rank != claim.Rank) continue;
            Virtual = Math.Min(Virtual, Math.Max(before, Served.GetValueOrDefault(other.Team)));
        }
    }

    /// <summary>Forgets teams that are no further than one that was away.</summary>
    public void Prune()
    {
        foreach (var (team, served) in Served)
        {
            if (served <= Virtual) Served.Remove(team);
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
        return first == CallRank.FirstRead && refreshesWait && ReadsInRow >= ReadsBetweenRefreshes ? CallRank.Refresh : first;
    }

    private double Start(string team) => Math.Max(Virtual, Served.GetValueOrDefault(team));

    // Among equals, what may go out at once.
    private bool IsBefore(Claim one, Claim other)
    {
        var (a, b) = (Start(one.Team), Start(other.Team));
        return a != b ? a < b : one.IsOurs && !other.IsOurs;
    }

    /// <summary>What one node has waiting for one team.</summary>
    internal sealed record Claim(CallRank Rank, string Team, bool IsOurs, int Count)
    {
        public int Left { get; set; } = Count;

        /// <summary>
        /// Whether the team has its share of the calls under way: others go first, whatever the turn.
        /// </summary>
        public bool IsHeldBack { get; set; }

        public bool MayGo => Left > 0 && !IsHeldBack;
    }
}

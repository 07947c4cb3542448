namespace Gateway.Upstream;

/// <summary>
/// Decides whose poll of a watched job goes out next. The teams that watch take turns, no matter how many jobs each of
/// them watches. The nodes on which polls of a team wait share its turns by the number of their polls. Polls do not
/// count as turns of the team's readers.
/// </summary>
internal sealed class PollTurns
{
    /// <summary>The virtual time. A team that had no polls starts from here.</summary>
    public double VirtualTime { get; set; }

    /// <summary>The virtual time at which the last poll of each team and node ends.</summary>
    public Dictionary<string, double> Served { get; set; } = new(StringComparer.Ordinal);

    /// <summary>Returns a copy, to plan further polls.</summary>
    public PollTurns Copy() => new()
    {
        VirtualTime = VirtualTime,
        Served = new Dictionary<string, double>(Served, StringComparer.Ordinal),
    };

    /// <summary>
    /// Chooses the claim whose poll goes out next. Among equals, the asking node goes first: its poll can go out at
    /// once.
    /// </summary>
    /// <returns>Null: no poll waits.</returns>
    public Claim? Choose(List<Claim> claims) =>
        claims.Where(claim => claim.Left > 0).MinBy(claim => (StartOf(claim), !claim.IsOurs));

    /// <summary>Records that a poll of a claim goes out.</summary>
    public void Serve(Claim claim, List<Claim> claims)
    {
        VirtualTime = Math.Min(StartOf(claim), claims.Where(other => other.Left > 0).Min(StartOf));
        Served[claim.Name] = StartOf(claim) + 1 / claim.Share;
        foreach (var (name, served) in Served)
        {
            if (served <= VirtualTime) Served.Remove(name);
        }
    }

    private double StartOf(Claim claim) => Math.Max(VirtualTime, Served.GetValueOrDefault(claim.Name));

    /// <summary>The polls of one team that are due on one node.</summary>
    /// <param name="IsOurs">Whether they wait on the node that reports.</param>
    /// <param name="Share">The node's share of the team's turns, above 0 and at most 1.</param>
    internal sealed record Claim(string Node, string Team, bool IsOurs, int Count, double Share)
    {
        public string Name { get; } = $"{Team} {Node}";

        public int Left { get; set; } = Count;
    }
}

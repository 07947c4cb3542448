using Gateway.Upstream;

namespace Gateway.Jobs;

/// <summary>How an answer was come by.</summary>
internal enum Origin
{
    /// <summary>A snapshot from cache.</summary>
    Hit,

    /// <summary>The upstream's answer, just now.</summary>
    Forwarded,

    /// <summary>The last snapshot, for the upstream failed.</summary>
    Stale,
}

/// <summary>What is to be answered for a job.</summary>
/// <param name="Snapshot">Null where there is only the verdict: the upstream refused, failed or sent something else.</param>
/// <param name="Verdict">What the upstream said just now; of no meaning for a hit.</param>
/// <param name="Answer">The upstream's answer; of no meaning for a hit.</param>
/// <param name="Refreshed">Whether an older snapshot was known when the upstream was asked.</param>
internal sealed record Lookup(
    Origin Origin, JobSnapshot? Snapshot, Verdict Verdict = default, UpstreamAnswer Answer = default, bool Refreshed = false)
{
    /// <summary>Whether the snapshot is where the next caller finds it, as long as it lives.</summary>
    public bool IsKept { get; init; }

    /// <summary>Whether another node has asked the upstream, for this one, too.</summary>
    public bool WasElsewhere { get; private init; }

    public static Lookup Hit(JobSnapshot snapshot) => new(Origin.Hit, snapshot);

    /// <summary>What another node fetched while this one waited for it; it answers however short it may live.</summary>
    public static Lookup Elsewhere(JobSnapshot snapshot) =>
        new(Origin.Forwarded, snapshot, new Verdict(snapshot.Kind, snapshot.FreshUntil - snapshot.FetchedAt),
            new UpstreamAnswer(StatusOf(snapshot.Kind), [], null, UpstreamFault.None))
        {
            IsKept = true,
            WasElsewhere = true,
        };

    private static int StatusOf(VerdictKind kind) => kind switch
    {
        VerdictKind.NotFound => 404,
        VerdictKind.Gone => 410,
        VerdictKind.Legal => 451,
        _ => 200,
    };
}

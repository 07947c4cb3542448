using Gateway.Jobs;

namespace Gateway.Caching;

/// <summary>The result of a look-up of a job.</summary>
internal abstract record Lookup
{
    private Lookup()
    {
    }

    /// <summary>The stored answer about the job; null if there is none that may be served.</summary>
    public virtual JobSnapshot? Snapshot => null;

    /// <summary>A fresh snapshot, from memory or from Redis.</summary>
    public sealed record Hit(JobSnapshot Found) : Lookup
    {
        public override JobSnapshot Snapshot => Found;
    }

    /// <summary>The upstream answered during this request.</summary>
    /// <param name="Verdict">The classification of the answer, with its lifetime.</param>
    /// <param name="Status">The status of the upstream's answer.</param>
    /// <param name="RetryAfter">How long the upstream asks to wait; null if it asks for nothing.</param>
    /// <param name="IsRefresh">Whether an older snapshot was known when the upstream was asked.</param>
    /// <param name="IsStored">Whether the next caller finds the snapshot during its lifetime.</param>
    public sealed record Fetched(
        JobSnapshot Found, Verdict Verdict, int Status, TimeSpan? RetryAfter, bool IsRefresh, bool IsStored) : Lookup
    {
        public override JobSnapshot Snapshot => Found;

        /// <summary>Whether another node asked the upstream while this node waited.</summary>
        public bool WasElsewhere { get; private init; }

        /// <summary>A snapshot that another node fetched. It is served even if its lifetime is over.</summary>
        public static Fetched Elsewhere(JobSnapshot snapshot, bool isRefresh) =>
            new(snapshot, new Verdict(snapshot.Kind, snapshot.FreshUntil - snapshot.FetchedAt), StatusOf(snapshot.Kind),
                RetryAfter: null, isRefresh, IsStored: true)
            {
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

    /// <summary>The last snapshot, because the upstream fails.</summary>
    public sealed record Stale(JobSnapshot Found, FailedFill Why) : Lookup
    {
        public override JobSnapshot Snapshot => Found;
    }

    /// <summary>The upstream gave no job, and no snapshot may answer instead.</summary>
    /// <param name="IsRefresh">Whether an older snapshot was known when the upstream was asked.</param>
    public sealed record Failed(FailedFill Why, bool IsRefresh) : Lookup;
}

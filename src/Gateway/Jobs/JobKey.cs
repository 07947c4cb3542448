namespace Gateway.Jobs;

/// <summary>
/// What a job is filed under: the account comes first, for bodies fetched with one credential are nobody else's. The
/// braces are a Redis Cluster hash tag: all that belongs to one job lives in one slot.
/// </summary>
internal readonly record struct JobKey(string Account, JobAddress Address)
{
    private string Tag => $"{{{Account}/{Address.Workflow}/{Address.Job}}}";

    /// <summary>Where a finished job is, and nothing else ever: what is there is never replaced by a lesser answer.</summary>
    public string Finished => Tag + ":finished";

    /// <summary>Where any other answer is.</summary>
    public string Live => Tag + ":live";
}

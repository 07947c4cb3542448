namespace Gateway.Jobs;

/// <summary>
/// What a job is filed under. The account comes first: bodies fetched with one credential are nobody else's.
/// </summary>
internal sealed record JobKey(string Account, JobAddress Address)
{
    /// <summary>
    /// Its name in Redis. The braces are a Redis Cluster hash tag: all that belongs to one job lives in one slot.
    /// </summary>
    public string Name => $"{{{Account}/{Address.Workflow}/{Address.Job}}}";
}

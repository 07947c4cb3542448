namespace Simulator;

/// <summary>A change of one job to a stage.</summary>
/// <param name="Job">A job id.</param>
/// <param name="Stage">Where the job stands.</param>
internal sealed record LifeChange(string Job, LifeStage Stage)
{
    /// <summary>Returns the reason why the change is not valid; null if it is.</summary>
    public string? Problem() => string.IsNullOrEmpty(Job) ? "job must be a job id." : null;
}

/// <summary>One job as it was set.</summary>
/// <param name="Stage">Where it stands.</param>
/// <param name="Created">When it was queued, or first set.</param>
/// <param name="Changed">When it came to this stage.</param>
/// <param name="Ended">When it ended; results that come later do not move it. Null while it has not ended.</param>
internal sealed record Life(LifeStage Stage, DateTimeOffset Created, DateTimeOffset Changed, DateTimeOffset? Ended);

namespace Simulator;

/// <summary>A change of one job to a stage.</summary>
/// <param name="Job">A job id.</param>
/// <param name="Stage">The new stage of the job.</param>
internal sealed record LifeChange(string Job, LifeStage Stage)
{
    /// <summary>Returns the reason why the change is not valid; null if it is.</summary>
    public string? Problem() => string.IsNullOrEmpty(Job) ? "job must be a job id." : null;
}

/// <summary>The state of one job that was moved to a stage.</summary>
/// <param name="Stage">The stage of the job.</param>
/// <param name="Created">When the job was queued, or first moved to a stage.</param>
/// <param name="Changed">When the job was moved to this stage.</param>
/// <param name="Ended">When the job ended; later results do not change this time. Null if it has not ended.</param>
internal sealed record Life(LifeStage Stage, DateTimeOffset Created, DateTimeOffset Changed, DateTimeOffset? Ended);

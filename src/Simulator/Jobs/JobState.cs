namespace Simulator.Jobs;

/// <summary>
/// The state of a job at one moment. Times are relative to the first request for the job, and may be negative.
/// </summary>
internal sealed record JobState
{
    /// <summary>200, or the status of a refusal. After a refusal, the other properties have no meaning.</summary>
    public int HttpStatus { get; init; } = 200;

    public string Status { get; init; } = "";

    /// <summary>0 to 100.</summary>
    public int Progress { get; init; }

    public bool Failed { get; init; }

    /// <summary>Whether tasks that are completed have no results yet.</summary>
    public bool ResultsPending { get; init; }

    public TimeSpan Created { get; init; }

    public TimeSpan Updated { get; init; }

    public TimeSpan? Finished { get; init; }

    /// <summary>The expected duration of the whole job.</summary>
    public TimeSpan Estimate { get; init; }

    public IReadOnlyList<TaskState> Tasks { get; init; } = [];
}

/// <summary>One task at one moment.</summary>
/// <param name="Plan">The task.</param>
/// <param name="Status">Its status word.</param>
/// <param name="Progress">0 to 100, with one decimal.</param>
/// <param name="Started">Null until it starts.</param>
/// <param name="Finished">Null until it finishes.</param>
internal sealed record TaskState(TaskPlan Plan, string Status, double Progress, TimeSpan? Started, TimeSpan? Finished);

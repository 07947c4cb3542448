namespace Simulator.Jobs;

/// <summary>All inputs of a job's body.</summary>
internal sealed record JobView(string WorkflowId, string JobId, JobName Name, JobState State, DateTimeOffset FirstAsked)
{
    /// <summary>Replaces the error text of the first task.</summary>
    public string? ErrorText { get; init; }

    public static JobView At(string workflowId, string jobId, DateTimeOffset firstAsked, DateTimeOffset now)
    {
        JobName name = JobName.Parse(jobId);
        return new JobView(workflowId, jobId, name, JobScript.At(name, now - firstAsked), firstAsked);
    }

    public static JobView Of(string workflowId, string jobId, DateTimeOffset firstAsked, Life life)
    {
        JobName name = JobName.Parse(jobId);
        return new JobView(workflowId, jobId, name, JobScript.Of(name, life, firstAsked), firstAsked);
    }

    /// <summary>Formats a time as in the body; empty if the event has not happened.</summary>
    public string Time(TimeSpan? offset) =>
        offset is TimeSpan known ? WireForms.Timestamp(FirstAsked + known, Name.Shape.Time) : "";
}

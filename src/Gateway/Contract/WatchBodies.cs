using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;

namespace Gateway.Contract;

/// <summary>The summary of a job: its status, progress and times, and a line for each task.</summary>
/// <remarks>Used for the published document only, like the other types of this file.</remarks>
internal sealed record JobSummary
{
    /// <summary>The job's identifier.</summary>
    [JsonPropertyName("id")]
    public string? Id { get; init; }

    /// <summary>The workflow that the job belongs to.</summary>
    [JsonPropertyName("workflow_id")]
    public string? WorkflowId { get; init; }

    /// <summary>The current status, as the upstream says it.</summary>
    [JsonPropertyName("status")]
    public string? Status { get; init; }

    /// <summary>Completion in percent, as a number from 0 to 100; absent if the upstream states none.</summary>
    [Range(0, 100)]
    [JsonPropertyName("progress")]
    public double? Progress { get; init; }

    /// <summary>When it was created.</summary>
    [JsonPropertyName("created_at")]
    public string? CreatedAt { get; init; }

    /// <summary>When its execution was created.</summary>
    [JsonPropertyName("exec_created_at")]
    public string? ExecCreatedAt { get; init; }

    /// <summary>When it finished; empty or absent before.</summary>
    [JsonPropertyName("finished_at")]
    public string? FinishedAt { get; init; }

    /// <summary>Estimated duration, in seconds.</summary>
    [JsonPropertyName("estimated_duration")]
    public double? EstimatedDuration { get; init; }

    /// <summary>The steps of the job.</summary>
    [AlwaysSent]
    [JsonPropertyName("tasks")]
    public List<TaskSummary>? Tasks { get; init; }
}

/// <summary>The summary of a task.</summary>
internal sealed record TaskSummary
{
    /// <summary>The task's identifier.</summary>
    [JsonPropertyName("id")]
    public string? Id { get; init; }

    /// <summary>The task's name, to which other tasks refer.</summary>
    [JsonPropertyName("name")]
    public string? Name { get; init; }

    /// <summary>The current status, as the upstream says it.</summary>
    [JsonPropertyName("status")]
    public string? Status { get; init; }

    /// <summary>Completion in percent, as a number from 0 to 100.</summary>
    [Range(0, 100)]
    [JsonPropertyName("progress")]
    public double? Progress { get; init; }

    /// <summary>What the task does now; at most 500 characters.</summary>
    [JsonPropertyName("state_msg")]
    public string? StateMessage { get; init; }

    /// <summary>Why the task failed; at most 500 characters.</summary>
    [JsonPropertyName("err_msg")]
    public string? ErrorMessage { get; init; }

    /// <summary>The kind of failure.</summary>
    [JsonPropertyName("failure_type")]
    public string? FailureType { get; init; }

    /// <summary>When the task was created.</summary>
    [JsonPropertyName("created_at")]
    public string? CreatedAt { get; init; }

    /// <summary>When the task finished.</summary>
    [JsonPropertyName("finished_at")]
    public string? FinishedAt { get; init; }

    /// <summary>Estimated duration, in seconds.</summary>
    [JsonPropertyName("estimated_time_duration")]
    public double? EstimatedDuration { get; init; }

    /// <summary>The names of the tasks that must finish first.</summary>
    [JsonPropertyName("depends_on")]
    public List<string>? DependsOn { get; init; }
}

/// <summary>The data of the event <c>job</c> in a stream of several jobs.</summary>
internal sealed record JobEventData
{
    /// <summary>The job's workflow, as in the query.</summary>
    [AlwaysSent]
    [JsonPropertyName("workflow_id")]
    public string? WorkflowId { get; init; }

    /// <summary>The job's identifier, as in the query.</summary>
    [AlwaysSent]
    [JsonPropertyName("job_id")]
    public string? JobId { get; init; }

    /// <summary>The entity tag of the representation, in quotes.</summary>
    [AlwaysSent]
    [JsonPropertyName("etag")]
    public string? ETag { get; init; }

    /// <summary>The job, or its summary.</summary>
    [AlwaysSent]
    [JsonPropertyName("job")]
    public Job? Job { get; init; }
}

/// <summary>The answers for several jobs.</summary>
internal sealed record JobBatch
{
    /// <summary>One answer for each job, in the order of the query.</summary>
    [AlwaysSent]
    [JsonPropertyName("jobs")]
    public List<JobBatchItem>? Jobs { get; init; }
}

/// <summary>The answer for one of several jobs.</summary>
internal sealed record JobBatchItem
{
    /// <summary>The job's workflow, as in the query.</summary>
    [AlwaysSent]
    [JsonPropertyName("workflow_id")]
    public string? WorkflowId { get; init; }

    /// <summary>The job's identifier, as in the query.</summary>
    [AlwaysSent]
    [JsonPropertyName("job_id")]
    public string? JobId { get; init; }

    /// <summary>The status that a request for this job alone would have.</summary>
    [Range(200, 599)]
    [JsonPropertyName("status")]
    public required int Status { get; init; }

    /// <summary>The entity tag of the representation, in quotes; with status 200.</summary>
    [JsonPropertyName("etag")]
    public string? ETag { get; init; }

    /// <summary>How the gateway came by the answer (RFC 9211).</summary>
    [JsonPropertyName("cache_status")]
    public string? CacheStatus { get; init; }

    /// <summary>Seconds since the upstream said it; with status 200.</summary>
    [Range(0, int.MaxValue)]
    [JsonPropertyName("age")]
    public long? Age { get; init; }

    /// <summary>Seconds for which the gateway will not ask the upstream again; with status 200.</summary>
    [Range(0, int.MaxValue)]
    [JsonPropertyName("fresh_for")]
    public long? FreshFor { get; init; }

    /// <summary>Seconds to wait before asking again: advice for a running job, and for a problem.</summary>
    [Range(0, int.MaxValue)]
    [JsonPropertyName("retry_after")]
    public long? RetryAfter { get; init; }

    /// <summary>The job, or its summary; with status 200.</summary>
    [JsonPropertyName("job")]
    public Job? Job { get; init; }

    /// <summary>The problem; with any other status.</summary>
    [JsonPropertyName("problem")]
    public ProblemBody? Problem { get; init; }
}

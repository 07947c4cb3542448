using System.Text.Json;
using System.Text.Json.Serialization;

namespace Gateway.Contract;

/// <summary>The state of a processing job. Fields that are not listed here may be there, too.</summary>
/// <remarks>Used for the published document only. The gateway passes on a job's bytes unchanged.</remarks>
internal sealed record Job
{
    /// <summary>The job's identifier.</summary>
    [AlwaysSent]
    [JsonPropertyName("id")]
    public string? Id { get; init; }

    /// <summary>The workflow that the job belongs to.</summary>
    [AlwaysSent]
    [JsonPropertyName("workflow_id")]
    public string? WorkflowId { get; init; }

    /// <summary>
    /// The current status, such as running, completed or failed; not an enumeration, and of either case. A final word
    /// with finished_at makes the job final.
    /// </summary>
    [AlwaysSent]
    [JsonPropertyName("status")]
    public string? Status { get; init; }

    /// <summary>
    /// Completion in percent, as text: 45, 45% and 45.0 are all possible. 100 does not mean final.
    /// </summary>
    [AlwaysSent]
    [JsonPropertyName("progress")]
    public string? Progress { get; init; }

    /// <summary>The steps of the job.</summary>
    [AlwaysSent]
    [JsonPropertyName("tasks")]
    public List<JobTask>? Tasks { get; init; }

    /// <summary>What validation found wrong.</summary>
    [JsonPropertyName("val_errors")]
    public List<ValidationError>? ValidationErrors { get; init; }

    /// <summary>
    /// Raw specification of the job: any JSON value. The upstream documents an array of integers, but passes on raw
    /// JSON: objects, arrays of either, a base64 string and null all occur.
    /// </summary>
    [JsonPropertyName("spec")]
    public JsonElement? Spec { get; init; }

    /// <summary>Cost, in the upstream's credits.</summary>
    [JsonPropertyName("cost")]
    public long? Cost { get; init; }

    /// <summary>Estimated duration, in seconds.</summary>
    [JsonPropertyName("estimated_duration")]
    public long? EstimatedDuration { get; init; }

    /// <summary>Time taken, as free text.</summary>
    [JsonPropertyName("time_taken")]
    public string? TimeTaken { get; init; }

    /// <summary>Who created the job.</summary>
    [JsonPropertyName("created_by")]
    public string? CreatedBy { get; init; }

    /// <summary>When it was created. Timestamps are RFC 3339, or that with a space in place of the T.</summary>
    [AlwaysSent]
    [JsonPropertyName("created_at")]
    public string? CreatedAt { get; init; }

    /// <summary>When it last changed.</summary>
    [AlwaysSent]
    [JsonPropertyName("updated_at")]
    public string? UpdatedAt { get; init; }

    /// <summary>When it finished; empty or absent before. With a final status it makes the job final.</summary>
    [JsonPropertyName("finished_at")]
    public string? FinishedAt { get; init; }

    /// <summary>When its execution was created.</summary>
    [JsonPropertyName("exec_created_at")]
    public string? ExecCreatedAt { get; init; }

    /// <summary>When its execution last changed.</summary>
    [JsonPropertyName("exec_updated_at")]
    public string? ExecUpdatedAt { get; init; }
}

/// <summary>What validation found wrong between two components.</summary>
internal sealed record ValidationError
{
    /// <summary>The component that a connection comes from.</summary>
    [JsonPropertyName("from")]
    public string? From { get; init; }

    /// <summary>The component that it goes to.</summary>
    [JsonPropertyName("to")]
    public string? To { get; init; }

    /// <summary>What is wrong.</summary>
    [JsonPropertyName("err")]
    public string? Error { get; init; }

    /// <summary>Why it is.</summary>
    [JsonPropertyName("reason")]
    public string? Reason { get; init; }

    /// <summary>The component that it is about.</summary>
    [JsonPropertyName("component_name")]
    public string? ComponentName { get; init; }
}

using System.Text.Json;
using System.Text.Json.Serialization;

namespace Gateway.Contract;

/// <summary>One step of a job.</summary>
internal sealed record JobTask
{
    /// <summary>The task's identifier.</summary>
    [AlwaysSent]
    [JsonPropertyName("id")]
    public string? Id { get; init; }

    /// <summary>The task's name, which other tasks refer to.</summary>
    [AlwaysSent]
    [JsonPropertyName("name")]
    public string? Name { get; init; }

    /// <summary>The current status; not an enumeration.</summary>
    [AlwaysSent]
    [JsonPropertyName("status")]
    public string? Status { get; init; }

    /// <summary>Explains the status.</summary>
    [JsonPropertyName("state_msg")]
    public string? StateMessage { get; init; }

    /// <summary>Completion in percent, 0 to 100; may be fractional.</summary>
    [AlwaysSent]
    [JsonPropertyName("progress")]
    public double? Progress { get; init; }

    /// <summary>Names of the tasks that must finish first.</summary>
    [JsonPropertyName("depends_on")]
    public List<string>? DependsOn { get; init; }

    /// <summary>Estimated duration, in seconds.</summary>
    [JsonPropertyName("estimated_time_duration")]
    public long? EstimatedDuration { get; init; }

    /// <summary>Time taken, as free text.</summary>
    [JsonPropertyName("time_taken")]
    public string? TimeTaken { get; init; }

    /// <summary>What went wrong.</summary>
    [JsonPropertyName("err_msg")]
    public string? ErrorMessage { get; init; }

    /// <summary>The kind of failure.</summary>
    [JsonPropertyName("failure_type")]
    public string? FailureType { get; init; }

    /// <summary>
    /// Raw log of the task: any JSON value. The upstream documents an array of integers, but passes on raw JSON:
    /// objects, arrays of either, a base64 string and null all occur.
    /// </summary>
    [JsonPropertyName("info_logs")]
    public JsonElement? InfoLogs { get; init; }

    /// <summary>
    /// Raw inputs of the task: any JSON value. The upstream documents an array of integers, but passes on raw JSON:
    /// objects, arrays of either, a base64 string and null all occur.
    /// </summary>
    [JsonPropertyName("inputs")]
    public JsonElement? Inputs { get; init; }

    /// <summary>
    /// Raw result of the task: any JSON value. The upstream documents an array of integers, but passes on raw JSON:
    /// objects, arrays of either, a base64 string and null all occur. It may hold signed URLs, which expire.
    /// </summary>
    [JsonPropertyName("result")]
    public JsonElement? Result { get; init; }

    /// <summary>What a reader of the result should know.</summary>
    [JsonPropertyName("disclaimer")]
    public List<string>? Disclaimer { get; init; }

    /// <summary>The processing block that runs the task.</summary>
    [JsonPropertyName("block_info")]
    public BlockInfo? BlockInfo { get; init; }

    /// <summary>When it was created. Timestamps are RFC 3339, or that with a space in place of the T.</summary>
    [JsonPropertyName("created_at")]
    public string? CreatedAt { get; init; }

    /// <summary>When it last changed.</summary>
    [JsonPropertyName("updated_at")]
    public string? UpdatedAt { get; init; }

    /// <summary>When it finished; empty or absent before.</summary>
    [JsonPropertyName("finished_at")]
    public string? FinishedAt { get; init; }

    /// <summary>When a worker received it.</summary>
    [JsonPropertyName("recv_time")]
    public string? ReceivedAt { get; init; }

    /// <summary>When it was sent to a worker.</summary>
    [JsonPropertyName("send_time")]
    public string? SentAt { get; init; }

    /// <summary>When its processing block started.</summary>
    [JsonPropertyName("block_inf_start_time")]
    public string? BlockStartedAt { get; init; }

    /// <summary>When its processing block ended.</summary>
    [JsonPropertyName("block_inf_end_time")]
    public string? BlockEndedAt { get; init; }
}

/// <summary>A processing block.</summary>
internal sealed record BlockInfo
{
    /// <summary>The block's identifier.</summary>
    [JsonPropertyName("id")]
    public string? Id { get; init; }

    /// <summary>The block's name.</summary>
    [JsonPropertyName("name")]
    public string? Name { get; init; }

    /// <summary>The block's version.</summary>
    [JsonPropertyName("version")]
    public string? Version { get; init; }
}

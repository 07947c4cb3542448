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

    /// <summary>Raw log: any JSON value.</summary>
    [JsonPropertyName("info_logs")]
    public JsonElement? InfoLogs { get; init; }

    /// <summary>Raw inputs: any JSON value.</summary>
    [JsonPropertyName("inputs")]
    public JsonElement? Inputs { get; init; }

    /// <summary>Raw result: any JSON value. It may hold signed URLs, which expire.</summary>
    [JsonPropertyName("result")]
    public JsonElement? Result { get; init; }

    /// <summary>What a reader of the result should know.</summary>
    [JsonPropertyName("disclaimer")]
    public List<string>? Disclaimer { get; init; }

    /// <summary>The processing block that runs the task.</summary>
    [JsonPropertyName("block_info")]
    public BlockInfo? BlockInfo { get; init; }

    [JsonPropertyName("created_at")]
    public string? CreatedAt { get; init; }

    [JsonPropertyName("updated_at")]
    public string? UpdatedAt { get; init; }

    [JsonPropertyName("finished_at")]
    public string? FinishedAt { get; init; }

    [JsonPropertyName("recv_time")]
    public string? ReceivedAt { get; init; }

    [JsonPropertyName("send_time")]
    public string? SentAt { get; init; }

    [JsonPropertyName("block_inf_start_time")]
    public string? BlockStartedAt { get; init; }

    [JsonPropertyName("block_inf_end_time")]
    public string? BlockEndedAt { get; init; }
}

/// <summary>A processing block.</summary>
internal sealed record BlockInfo
{
    [JsonPropertyName("id")]
    public string? Id { get; init; }

    [JsonPropertyName("name")]
    public string? Name { get; init; }

    [JsonPropertyName("version")]
    public string? Version { get; init; }
}

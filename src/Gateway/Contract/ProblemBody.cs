using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Gateway.Contract;

/// <summary>An error (RFC 9457).</summary>
internal sealed record ProblemBody
{
    /// <summary>The kind of problem, as a URI reference that never changes: what a client decides by.</summary>
    [JsonPropertyName("type")]
    public required string Type { get; init; }

    /// <summary>What happened, the same for each occurrence of a type.</summary>
    [JsonPropertyName("title")]
    public required string Title { get; init; }

    /// <summary>The HTTP status.</summary>
    [Range(400, 599)]
    [JsonPropertyName("status")]
    public required int Status { get; init; }

    /// <summary>What happened this time.</summary>
    [JsonPropertyName("detail")]
    public string? Detail { get; init; }

    /// <summary>The trace of this request, for the gateway's operators.</summary>
    [JsonPropertyName("traceId")]
    public string? TraceId { get; init; }

    /// <summary>The quotas that refused, of quota-exceeded.</summary>
    [JsonPropertyName("violated-policies")]
    public List<string>? ViolatedPolicies { get; init; }

    /// <summary>The upstream's own error object, where it sent one.</summary>
    [JsonPropertyName("error")]
    public UpstreamError? Error { get; init; }
}

/// <summary>The upstream's own error object.</summary>
internal sealed record UpstreamError
{
    /// <summary>The upstream's own code.</summary>
    [JsonPropertyName("code")]
    public string? Code { get; init; }

    /// <summary>What the upstream says, for people.</summary>
    [JsonPropertyName("message")]
    public string? Message { get; init; }

    /// <summary>Any JSON value.</summary>
    [JsonPropertyName("details")]
    public JsonElement? Details { get; init; }
}

using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Simulator;

/// <summary>An answer that is decided but not yet sent.</summary>
internal sealed record Answer(int Status, ReadOnlyMemory<byte> Body, string ContentType = Answer.Json)
{
    public const string Json = "application/json";
    public const string Html = "text/html; charset=utf-8";

    private static readonly JsonSerializerOptions Readable =
        new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public string? RetryAfter { get; init; }

    /// <summary>The content coding that the body is in; null for none.</summary>
    public string? Coding { get; init; }

    public static Answer Text(int status, string body, string contentType) =>
        new(status, Encoding.UTF8.GetBytes(body), contentType);

    /// <summary>The documented error envelope.</summary>
    public static Answer Error(int status, string message, object? details = null) =>
        new(status, JsonSerializer.SerializeToUtf8Bytes(
            new { error = new { code = Code(status), message, details } }, Readable));

    private static string Code(int status) => status switch
    {
        400 => "BAD_REQUEST",
        401 => "UNAUTHENTICATED",
        403 => "FORBIDDEN",
        404 => "NOT_FOUND",
        405 => "METHOD_NOT_ALLOWED",
        410 => "GONE",
        429 => "TOO_MANY_REQUESTS",
        451 => "UNAVAILABLE_FOR_LEGAL_REASONS",
        503 => "UNAVAILABLE",
        >= 500 => "INTERNAL",
        _ => "ERROR",
    };
}

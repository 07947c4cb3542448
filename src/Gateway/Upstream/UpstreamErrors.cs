using System.Net.Http.Headers;
using System.Text.Json;

namespace Gateway.Upstream;

/// <summary>What an answer of the upstream says beside its body, where it is not what was asked for.</summary>
internal static class UpstreamErrors
{
    private const int MaxErrorBytes = 64 * 1024;

    /// <summary>What an answer that is no 200 says: of a 400, 403 or 404 the error object, of any other when to come back.</summary>
    public static async Task<UpstreamAnswer> ReadAsync(HttpResponseMessage response, Credential credential, TimeProvider clock, CancellationToken cancellation)
    {
        var status = (int)response.StatusCode;
        if (status is not (400 or 403 or 404)) return new UpstreamAnswer(status, [], RetryAfter(response.Headers, clock), UpstreamFault.None);
        var error = await ReadErrorAsync(response.Content, cancellation);
        return new UpstreamAnswer(status, credential.IsIn(error) ? [] : error, null, UpstreamFault.None);
    }

    /// <summary>The <c>error</c> object of the upstream's envelope, or nothing: the status says enough.</summary>
    private static async Task<byte[]> ReadErrorAsync(HttpContent content, CancellationToken cancellation)
    {
        try
        {
            var body = await BoundedBody.ReadAsync(content, MaxErrorBytes, cancellation);
            using var envelope = JsonDocument.Parse(body);
            return envelope.RootElement.ValueKind == JsonValueKind.Object
                && envelope.RootElement.TryGetProperty("error", out var error) && error.ValueKind == JsonValueKind.Object
                    ? JsonSerializer.SerializeToUtf8Bytes(error)
                    : [];
        }
        catch (Exception e) when (e is JsonException or IOException or HttpRequestException or OperationCanceledException)
        {
            return [];
        }
    }

    // Capped here, for whoever goes by it. A date is by the upstream's clock, which says what time it is now as well.
    private static TimeSpan? RetryAfter(HttpResponseHeaders headers, TimeProvider clock)
    {
        var asked = headers.RetryAfter is { } field ? field.Delta ?? field.Date - (headers.Date ?? clock.GetUtcNow()) : null;
        return asked > UpstreamAnswer.LongestRetryAfter ? UpstreamAnswer.LongestRetryAfter : asked;
    }
}

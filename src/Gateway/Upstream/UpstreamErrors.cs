using System.Net.Http.Headers;
using System.Text.Json;

namespace Gateway.Upstream;

/// <summary>What an answer of the upstream says beside its body, where it is not what was asked for.</summary>
internal static class UpstreamErrors
{
    private const int MaxErrorBytes = 64 * 1024;

    /// <summary>
    /// What an answer that is no 200 says: of a refusal (400, 401, 403, 404, 410, 451) the error object, of any other
    /// when to come back.
    /// </summary>
    public static async Task<UpstreamAnswer> ReadAsync(HttpResponseMessage response, Credential credential, TimeProvider clock, CancellationToken cancellation)
    {
        var status = (int)response.StatusCode;
        if (status is not (400 or 401 or 403 or 404 or 410 or 451))
        {
            return new UpstreamAnswer(status, [], RetryAfter(response.Headers, clock), UpstreamFault.None);
        }
        var error = await ReadErrorAsync(response.Content, cancellation);
        return new UpstreamAnswer(status, credential.IsIn(error) ? [] : error, null, UpstreamFault.None);
    }

    /// <summary>The <c>error</c> object of the upstream's envelope, or nothing: the status says enough.</summary>
    private static async Task<byte[]> ReadErrorAsync(HttpContent content, CancellationToken cancellation)
    {
        try
        {
            var (body, _) = await BoundedBody.ReadDecodedAsync(content, MaxErrorBytes, share: null, cancellation);
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

    /// <summary>What kept an answer from coming.</summary>
    public static UpstreamFault FaultOf(Exception? failure)
    {
        var cause = failure?.InnerException;
        return (failure as HttpRequestException)?.HttpRequestError switch
        {
            HttpRequestError.NameResolutionError => UpstreamFault.NameNotResolved,
            HttpRequestError.SecureConnectionError when cause is OperationCanceledException =>
                UpstreamFault.TlsTimedOut,
            // A connection that ends within the handshake is one that ends.
            HttpRequestError.SecureConnectionError when cause is not IOException => UpstreamFault.TlsFailed,
            HttpRequestError.ConfigurationLimitExceeded => UpstreamFault.HeaderTooLarge,
            HttpRequestError.HttpProtocolError => UpstreamFault.ProtocolError,
            HttpRequestError.InvalidResponse or HttpRequestError.VersionNegotiationError => UpstreamFault.ProtocolError,
            _ => UpstreamFault.Unreachable,
        };
    }

    /// <summary>When the upstream wants to be asked again, five minutes at most; null: no word of it.</summary>
    /// <remarks>A date is by the upstream's clock, which the <c>Date</c> field of the same answer tells.</remarks>
    public static TimeSpan? RetryAfter(HttpResponseHeaders headers, TimeProvider clock)
    {
        var asked = headers.RetryAfter is { } field ? field.Delta ?? field.Date - (headers.Date ?? clock.GetUtcNow()) : null;
        return asked > UpstreamAnswer.LongestRetryAfter ? UpstreamAnswer.LongestRetryAfter : asked;
    }
}

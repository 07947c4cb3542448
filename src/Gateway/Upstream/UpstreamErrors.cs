using System.Net.Http.Headers;
using System.Text.Json;
using Gateway.Outbound;

namespace Gateway.Upstream;

/// <summary>Reads unsuccessful answers of the upstream.</summary>
internal static class UpstreamErrors
{
    private const int MaxErrorBytes = 64 * 1024;

    /// <summary>
    /// Reads an answer that is not 200: the error object of a 400, 401, 403, 404, 410 or 451, or else
    /// <c>Retry-After</c>.
    /// </summary>
    public static async Task<UpstreamAnswer> ReadAsync(
        HttpResponseMessage response, Credential credential, TimeProvider clock, CancellationToken cancellation)
    {
        var status = (int)response.StatusCode;
        if (status is not (400 or 401 or 403 or 404 or 410 or 451))
        {
            return new UpstreamAnswer(status, [], RetryAfter(response.Headers, clock), UpstreamFault.None);
        }
        var error = await ReadErrorAsync(response.Content, cancellation);
        return new UpstreamAnswer(status, credential.IsIn(error) ? [] : error, null, UpstreamFault.None);
    }

    /// <summary>The <c>error</c> object of the upstream's envelope, or nothing.</summary>
    private static async Task<byte[]> ReadErrorAsync(HttpContent content, CancellationToken cancellation)
    {
        try
        {
            var (body, _) = await BoundedBody.ReadDecodedAsync(content, MaxErrorBytes, share: null, cancellation);
            using var envelope = JsonDocument.Parse(body);
            return envelope.RootElement.ValueKind == JsonValueKind.Object
                && envelope.RootElement.TryGetProperty("error", out var error)
                && error.ValueKind == JsonValueKind.Object
                    ? JsonSerializer.SerializeToUtf8Bytes(error)
                    : [];
        }
        catch (Exception e)
            when (e is JsonException or IOException or HttpRequestException or OperationCanceledException)
        {
            return [];
        }
    }

    /// <summary>Returns the fault that an exception represents.</summary>
    public static UpstreamFault FaultOf(Exception? failure)
    {
        var cause = failure?.InnerException;
        return (failure as HttpRequestException)?.HttpRequestError switch
        {
            HttpRequestError.NameResolutionError => UpstreamFault.NameNotResolved,
            HttpRequestError.SecureConnectionError when cause is OperationCanceledException =>
                UpstreamFault.TlsTimedOut,
            // A connection that ends within the handshake counts as a lost connection.
            HttpRequestError.SecureConnectionError when cause is not IOException => UpstreamFault.TlsFailed,
            HttpRequestError.ProxyTunnelError => UpstreamFault.ProxyFailed,
            HttpRequestError.ConfigurationLimitExceeded => UpstreamFault.HeaderTooLarge,
            HttpRequestError.HttpProtocolError => UpstreamFault.ProtocolError,
            HttpRequestError.InvalidResponse or HttpRequestError.VersionNegotiationError => UpstreamFault.ProtocolError,
            // With TLS 1.3, the upstream refuses the gateway's certificate after the handshake.
            _ when Certificates.CauseOf(failure) is not null => UpstreamFault.TlsFailed,
            _ => UpstreamFault.Unreachable,
        };
    }

    /// <summary>The upstream's <c>Retry-After</c>, at most five minutes; null: there is none.</summary>
    /// <remarks>A date is compared with the <c>Date</c> field of the same answer.</remarks>
    public static TimeSpan? RetryAfter(HttpResponseHeaders headers, TimeProvider clock)
    {
        if (headers.RetryAfter is not { } field) return null;
        var asked = field.Delta ?? field.Date - (headers.Date ?? clock.GetUtcNow());
        return asked > UpstreamAnswer.LongestRetryAfter ? UpstreamAnswer.LongestRetryAfter : asked;
    }
}

using System.Net;
using System.Text.Json;
using Gateway.Configuration;
using Gateway.Jobs;
using Polly.CircuitBreaker;

namespace Gateway.Upstream;

/// <summary>Asks the upstream for jobs. What comes back is an answer or a fault, never an exception.</summary>
internal sealed class UpstreamClient(
    OutboundChain chain, Accounts accounts, LiveConfiguration configuration, TimeProvider clock) : IDisposable
{
    private const int MaxErrorBytes = 64 * 1024;

    private readonly HttpMessageInvoker _client = chain.CreateClient();

    public void Dispose() => _client.Dispose();

    /// <summary>Fetches one job with an account's credential, within <c>Upstream:Timeout</c>.</summary>
    public async Task<UpstreamAnswer> GetJobAsync(string account, JobAddress job)
    {
        var options = configuration.Current;
        if (accounts.CredentialOf(account) is not { } credential)
        {
            return UpstreamAnswer.Failed(UpstreamFault.NoCredential);
        }
        using var deadline = new CancellationTokenSource(options.Upstream.Timeout, clock);
        using var request = RequestFor(options.Upstream.BaseAddress, job, credential);
        var status = 0;
        try
        {
            using var response = await _client.SendAsync(request, deadline.Token);
            status = (int)response.StatusCode;
            return await ReadAsync(response, credential, options.Jobs.MaxBodyBytes, deadline.Token);
        }
        catch (OperationCanceledException)
        {
            return UpstreamAnswer.Failed(UpstreamFault.TimedOut, status);
        }
        catch (BrokenCircuitException)
        {
            return UpstreamAnswer.Failed(UpstreamFault.CircuitOpen, retryAfter: OutboundChain.BreakDuration);
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            return UpstreamAnswer.Failed(status == 0 ? UpstreamFault.Unreachable : UpstreamFault.CutShort, status);
        }
    }

    // These headers and no others; HTTP/2 where the upstream offers it in the TLS handshake.
    private static HttpRequestMessage RequestFor(Uri baseAddress, JobAddress job, Credential credential)
    {
        var address = $"{baseAddress.AbsoluteUri.TrimEnd('/')}/v0/workflows/{job.Workflow}/jobs/{job.Job}";
        var request = new HttpRequestMessage(HttpMethod.Get, new Uri(address))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionOrLower,
        };
        request.Headers.TryAddWithoutValidation("Authorization", credential.HeaderValue);
        request.Headers.TryAddWithoutValidation("Accept", "application/json");
        // The bytes are kept as they come, so they must come as they are.
        request.Headers.TryAddWithoutValidation("Accept-Encoding", "identity");
        request.Headers.TryAddWithoutValidation("User-Agent", "Gateway");
        return request;
    }

    private async Task<UpstreamAnswer> ReadAsync(
        HttpResponseMessage response, Credential credential, int maxBytes, CancellationToken cancellation)
    {
        var status = (int)response.StatusCode;
        switch (status)
        {
            case 200:
                var body = await BoundedBody.ReadAsync(response.Content, maxBytes, cancellation);
                if (body is null) return UpstreamAnswer.Failed(UpstreamFault.TooLarge, status);
                return credential.IsIn(body)
                    ? UpstreamAnswer.Failed(UpstreamFault.EchoedCredential, status)
                    : new UpstreamAnswer(status, body, null, UpstreamFault.None);
            case 400 or 403 or 404:
                var error = await ReadErrorAsync(response.Content, cancellation);
                if (credential.IsIn(error)) error = [];
                return new UpstreamAnswer(status, error, null, UpstreamFault.None);
            default:
                return new UpstreamAnswer(status, [], RetryAfter(response), UpstreamFault.None);
        }
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

    private TimeSpan? RetryAfter(HttpResponseMessage response) => response.Headers.RetryAfter switch
    {
        { Delta: { } delta } => delta,
        { Date: { } date } => date - clock.GetUtcNow(),
        _ => null,
    };
}

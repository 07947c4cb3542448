using System.Net;
using System.Text.Json;
using Gateway.Configuration;
using Gateway.Jobs;
using Polly;

namespace Gateway.Upstream;

/// <summary>Asks the upstream for jobs. What comes back is an answer or a fault, never an exception.</summary>
internal sealed class UpstreamClient(
    OutboundChain chain, AccountGates gates, LiveConfiguration configuration, TimeProvider clock) : IDisposable
{
    private const int MaxErrorBytes = 64 * 1024;

    private readonly HttpMessageInvoker _client = chain.CreateClient();
    private readonly ResiliencePipeline<UpstreamAnswer> _retry = Retry.Build(clock);

    public void Dispose() => _client.Dispose();

    /// <summary>
    /// Fetches one job with its account's credential, within <c>Upstream:Timeout</c>; each call, retries included, first waits
    /// for its place in the account's budget.
    /// </summary>
    /// <param name="team">Whose turn it takes.</param>
    /// <param name="isRefresh">Whether there is a snapshot of the job already.</param>
    public async Task<UpstreamAnswer> GetJobAsync(JobKey key, string team, bool isRefresh)
    {
        using var deadline = new CancellationTokenSource(configuration.Current.Upstream.Timeout, clock);
        var fetch = new Fetch(gates.Of(key.Account), key, team, isRefresh ? CallRank.Refresh : CallRank.FirstRead, clock.GetTimestamp());
        try
        {
            return await _retry.ExecuteAsync(async (fetch, cancellation) => await CallAsync(fetch, cancellation), fetch, deadline.Token);
        }
        catch (OperationCanceledException)
        {
            // Between two calls.
            return fetch.Last ?? UpstreamAnswer.Failed(UpstreamFault.TimedOut);
        }
    }

    private async Task<UpstreamAnswer> CallAsync(Fetch fetch, CancellationToken deadline)
    {
        var entry = await EnterAsync(fetch, fetch.Rank);
        if (entry.Permit is not { } permit) return fetch.Last ?? UpstreamAnswer.Failed(entry.Fault, retryAfter: entry.RetryAfter);
        var answer = await SendAsync(fetch.Key.Address, permit, permit.Credential, deadline);
        // Another is one that it was replaced by meanwhile, perhaps more than once, or the next one.
        List<Credential> refused = [permit.Credential];
        while (answer is { Fault: UpstreamFault.None, Status: 401 or 403 } && fetch.Gate.OtherThan(refused) is { } other)
        {
            var again = await EnterAsync(fetch, CallRank.OtherCredential);
            if (again.Permit is not { } second) break;
            answer = await SendAsync(fetch.Key.Address, second, other, deadline, refused[^1]);
            refused.Add(other);
        }
        fetch.Last = answer;
        return answer;
    }

    private async ValueTask<Entry> EnterAsync(Fetch fetch, CallRank rank)
    {
        var options = configuration.Current.Upstream;
        var patience = options.Accounts.GetValueOrDefault(fetch.Key.Account)?.QueueTimeout ?? TimeSpan.Zero;
        var left = options.Timeout - clock.GetElapsedTime(fetch.Started);
        var atMost = new[] { patience, options.Timeout / 2, left }.Min();
        return await fetch.Gate.EnterAsync(rank, fetch.Team, fetch.Key.Address, atMost > TimeSpan.Zero ? atMost : TimeSpan.Zero);
    }

    private async Task<UpstreamAnswer> SendAsync(
        JobAddress job, CallPermit permit, Credential credential, CancellationToken deadline, Credential? refused = null)
    {
        var answer = UpstreamAnswer.Failed(UpstreamFault.TimedOut);
        try
        {
            permit.GoOut();
            return answer = await SendAsync(job, credential, deadline);
        }
        finally
        {
            var end = EndOf(answer);
            if (end == CallEnd.Refused && refused is not null) end = CallEnd.RefusedTwice;
            // If this one is accepted, the one before is dead.
            await permit.EndAsync(end, credential, answer.RetryAfter, end == CallEnd.Accepted ? refused : null);
        }
    }

    private async Task<UpstreamAnswer> SendAsync(JobAddress job, Credential credential, CancellationToken deadline)
    {
        var options = configuration.Current;
        using var request = RequestFor(options.Upstream.BaseAddress, job, credential);
        var status = 0;
        try
        {
            using var response = await _client.SendAsync(request, deadline);
            status = (int)response.StatusCode;
            return await ReadAsync(response, credential, options.Jobs.MaxBodyBytes, deadline);
        }
        catch (OperationCanceledException)
        {
            return UpstreamAnswer.Failed(UpstreamFault.TimedOut, status);
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            return UpstreamAnswer.Failed(status == 0 ? UpstreamFault.Unreachable : UpstreamFault.CutShort, status);
        }
    }

    private static CallEnd EndOf(in UpstreamAnswer answer) => answer switch
    {
        { Fault: UpstreamFault.Unreachable or UpstreamFault.TimedOut } or { Status: >= 500 } => CallEnd.Failed,
        { Status: 200 or 404 } => CallEnd.Accepted,
        { Status: 401 } => CallEnd.Unauthorized,
        { Status: 403 } => CallEnd.Refused,
        { Status: 429 } => CallEnd.Busy,
        { Status: > 0 } => CallEnd.Answered,
        _ => CallEnd.Unknown,
    };

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

    // Capped here, for whoever goes by it.
    private TimeSpan? RetryAfter(HttpResponseMessage response)
    {
        var asked = response.Headers.RetryAfter is { } field ? field.Delta ?? field.Date - clock.GetUtcNow() : null;
        return asked > UpstreamAnswer.LongestRetryAfter ? UpstreamAnswer.LongestRetryAfter : asked;
    }

    private sealed record Fetch(AccountGate Gate, JobKey Key, string Team, CallRank Rank, long Started)
    {
        /// <summary>What the last call brought; it stands where no further call may go out.</summary>
        public UpstreamAnswer? Last { get; set; }
    }
}

using System.Net;
using Gateway.Jobs;
using Gateway.Runtime;
using Gateway.Telemetry;
using Microsoft.Extensions.Options;
using Polly;

namespace Gateway.Upstream;

/// <summary>Fetches jobs from the upstream. It returns an answer or a fault, and throws no exception.</summary>
internal sealed class UpstreamClient(
    OutboundChain chain, AccountCalls calls, IOptionsMonitor<UpstreamOptions> upstream,
    IOptionsMonitor<JobsOptions> jobs, TimeProvider clock) : IDisposable
{
    private readonly HttpMessageInvoker _client = chain.CreateClient();
    // Built on first use, because building it uses reflection, which would delay the start.
    private readonly Lazy<ResiliencePipeline<UpstreamAnswer>> _retry = new(() => Retry.Build(clock));

    public void Dispose() => _client.Dispose();

    /// <summary>
    /// Fetches one job with its account's credential, within <c>Upstream:Timeout</c>; each call, retries included,
    /// first waits for a permit of the account's budget.
    /// </summary>
    /// <param name="team">The team whose turn the call takes.</param>
    /// <param name="use">Counts the calls for a key or a team.</param>
    /// <param name="isRefresh">Whether there is a snapshot of the job already.</param>
    /// <param name="share">The body's share of memory, until it is disposed of.</param>
    /// <param name="ticket">
    /// The permit of the first call, if it was acquired before. A retry waits as other calls do, because readers may
    /// have joined the fill.
    /// </param>
    public async Task<UpstreamAnswer> GetJobAsync(
        string account, JobAddress job, string team, UseCounter? use, bool isRefresh, ByteBudget.Share share,
        CallTicket? ticket = null)
    {
        using var deadline = new CancellationTokenSource(upstream.CurrentValue.Timeout, clock);
        var rank = isRefresh ? CallRank.Refresh : CallRank.FirstRead;
        var call = calls.Begin(account, job, team, rank, use, ticket);
        try
        {
            var answer = await MakeAsync(deadline.Token);
            if (!Retry.IsFor(answer)) return answer;
            // The pipeline's first attempt is the call that was just made.
            var attempts = 0;
            return await _retry.Value.ExecuteAsync(
                async cancellation => attempts++ == 0 ? answer : await MakeAsync(cancellation), deadline.Token);
        }
        catch (OperationCanceledException)
        {
            // The deadline came between two calls.
            return call.Last ?? UpstreamAnswer.Failed(UpstreamFault.TimedOut);
        }

        Task<UpstreamAnswer> MakeAsync(CancellationToken cancellation) =>
            calls.MakeAsync(call, (credential, _) => SendAsync(call, credential, share, cancellation));
    }

    private async Task<UpstreamAnswer> SendAsync(
        AccountCall call, Credential credential, ByteBudget.Share share, CancellationToken deadline)
    {
        using var request = RequestFor(upstream.CurrentValue.BaseAddress, call.Gate.Name, call.Job, credential);
        var status = 0;
        try
        {
            using var response = await _client.SendAsync(request, deadline);
            status = (int)response.StatusCode;
            return status is 200 or 202
                ? await ReadAsync(response, credential, jobs.CurrentValue.MaxBodyBytes, share, deadline)
                : await UpstreamErrors.ReadAsync(response, credential, clock, deadline);
        }
        catch (OutOfMemoryException)
        {
            return UpstreamAnswer.Failed(UpstreamFault.NoRoom, status, ByteBudget.RetryAfter);
        }
        catch (OperationCanceledException)
        {
            return UpstreamAnswer.Failed(UpstreamFault.TimedOut, status);
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            return UpstreamAnswer.Failed(status == 0 ? UpstreamErrors.FaultOf(e) : UpstreamFault.CutShort, status);
        }
    }

    // Uses HTTP/2 if the upstream offers it in the TLS handshake.
    internal static HttpRequestMessage RequestFor(
        Uri baseAddress, string account, JobAddress job, Credential credential)
    {
        var address = $"{baseAddress.AbsoluteUri.TrimEnd('/')}/v0/workflows/{job.Workflow}/jobs/{job.Job}";
        var request = new HttpRequestMessage(HttpMethod.Get, new Uri(address))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionOrLower,
        };
        OutboundHeaders.Set(request, account, credential);
        request.Headers.TryAddWithoutValidation("Accept", "application/json");
        return request;
    }

    private async Task<UpstreamAnswer> ReadAsync(
        HttpResponseMessage response, Credential credential, int maxBytes, ByteBudget.Share share,
        CancellationToken cancellation)
    {
        var status = (int)response.StatusCode;
        var (body, fault) = await BoundedBody.ReadDecodedAsync(response.Content, maxBytes, share, cancellation);
        if (body is null) return UpstreamAnswer.Failed(fault, status);
        await ServerThreads.LeaveAsync(body.Length);
        return credential.IsIn(body)
            ? UpstreamAnswer.Failed(UpstreamFault.EchoedCredential, status)
            : new UpstreamAnswer(status, body, UpstreamErrors.RetryAfter(response.Headers, clock), UpstreamFault.None);
    }
}

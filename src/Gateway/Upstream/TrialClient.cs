using System.Diagnostics;
using Gateway.Jobs;
using Microsoft.Extensions.Options;

namespace Gateway.Upstream;

/// <summary>
/// Makes trials. A trial is one request for a job that the upstream returned before. Its status shows whether the
/// upstream still accepts a credential, or has recovered. Its body is not read.
/// </summary>
internal sealed class TrialClient(
    OutboundChain chain, IOptionsMonitor<UpstreamOptions> upstream, TimeProvider clock) : IDisposable
{
    private readonly HttpMessageInvoker _client = chain.CreateClient();

    public void Dispose() => _client.Dispose();

    /// <summary>Makes a trial and reports its outcome.</summary>
    /// <param name="knownJob">The job as <c>workflow/job</c>.</param>
    public async Task MakeAsync(string account, string knownJob, CallPermit permit)
    {
        var answer = UpstreamAnswer.Failed(UpstreamFault.CallerGone);
        try
        {
            await Task.Yield();
            // A trial belongs to no request and to no fill, so it is a trace of its own.
            Activity.Current = null;
            permit.GoOut();
            answer = await SendAsync(account, knownJob, permit.Credential);
        }
        finally
        {
            await permit.ReportAsync(AccountCalls.OutcomeOf(answer), permit.Credential, answer.RetryAfter,
                isUnauthorized: answer.Status == 401);
        }
    }

    private async Task<UpstreamAnswer> SendAsync(string account, string knownJob, Credential credential)
    {
        var slash = knownJob.IndexOf('/', StringComparison.Ordinal);
        if (slash < 0 || !JobAddress.TryCreate(knownJob[..slash], knownJob[(slash + 1)..], out var job))
        {
            return UpstreamAnswer.Failed(UpstreamFault.CallerGone);
        }
        var options = upstream.CurrentValue;
        var maxWait = options.Timeout < AccountHealth.LongestTrial ? options.Timeout : AccountHealth.LongestTrial;
        using var deadline = new CancellationTokenSource(maxWait, clock);
        using var request = UpstreamClient.RequestFor(options.BaseAddress, account, job, credential);
        try
        {
            using var response = await _client.SendAsync(request, deadline.Token);
            var retryAfter = UpstreamErrors.RetryAfter(response.Headers, clock);
            return new UpstreamAnswer((int)response.StatusCode, [], retryAfter, UpstreamFault.None);
        }
        catch (OperationCanceledException)
        {
            return UpstreamAnswer.Failed(UpstreamFault.TimedOut);
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            return UpstreamAnswer.Failed(UpstreamErrors.FaultOf(e));
        }
    }
}

using Gateway.Jobs;
using Microsoft.Extensions.Options;

namespace Gateway.Upstream;

/// <summary>
/// A trial: one request for a job that the upstream gave before, to find out whether it still accepts a credential, or
/// has recovered. The answer's body is not read.
/// </summary>
internal sealed class CredentialTrial(
    OutboundChain chain, IOptionsMonitor<UpstreamOptions> upstream, TimeProvider clock) : IDisposable
{
    private readonly HttpMessageInvoker _client = chain.CreateClient();

    public void Dispose() => _client.Dispose();

    /// <returns>The status and <c>Retry-After</c> of the answer, or the fault in its place; no exception.</returns>
    public async Task<UpstreamAnswer> MakeAsync(JobAddress job, Credential credential)
    {
        var options = upstream.CurrentValue;
        var maxWait = options.Timeout < AccountHealth.LongestTrial ? options.Timeout : AccountHealth.LongestTrial;
        using var deadline = new CancellationTokenSource(maxWait, clock);
        using var request = UpstreamClient.RequestFor(options.BaseAddress, job, credential);
        try
        {
            using var response = await _client.SendAsync(request, deadline.Token);
            return new UpstreamAnswer((int)response.StatusCode, [],
                UpstreamErrors.RetryAfter(response.Headers, clock), UpstreamFault.None);
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

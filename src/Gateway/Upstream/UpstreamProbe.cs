using System.Runtime.CompilerServices;
using Gateway.Jobs;
using Microsoft.Extensions.Options;

namespace Gateway.Upstream;

/// <summary>
/// Makes one call with each credential, for a job that does not exist. An answer of 404 shows that the upstream accepts
/// the credential. It does not show which workflows the credential may read.
/// </summary>
internal sealed class UpstreamProbe(
    OutboundChain chain, Accounts accounts, IOptionsMonitor<UpstreamOptions> upstream)
{
    private static readonly TimeSpan LongestCall = TimeSpan.FromSeconds(10);

    /// <returns>What was tried, and why it failed; null: it did not fail.</returns>
    public async IAsyncEnumerable<(string What, string? Problem)> RunAsync(
        [EnumeratorCancellation] CancellationToken cancellation)
    {
        using var client = chain.CreateClient();
        var address = upstream.CurrentValue.BaseAddress;
        var what = $"Upstream {address}";
        var isReached = false;
        foreach (var account in accounts.Names)
        {
            var credentials = await accounts.CredentialsOfAsync(account);
            for (var i = 0; i < credentials.Length; i++)
            {
                var (status, problem) = await CallAsync(client, account, credentials[i], cancellation);
                if (status == 0)
                {
                    // The other credentials would fail in the same way.
                    yield return (what, problem);
                    yield break;
                }
                if (!isReached) yield return (what, null);
                isReached = true;
                yield return ($"Upstream:Accounts:{account}: {(i == 0 ? "credential" : "next credential")}", problem);
            }
        }
    }

    private async Task<(int Status, string? Problem)> CallAsync(
        HttpMessageInvoker client, string account, Credential credential, CancellationToken cancellation)
    {
        JobAddress.TryCreate("gateway-check", $"{Guid.NewGuid():N}", out var job);
        using var request = UpstreamClient.RequestFor(upstream.CurrentValue.BaseAddress, account, job, credential);
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        deadline.CancelAfter(LongestCall);
        try
        {
            using var answer = await client.SendAsync(request, deadline.Token);
            return ((int)answer.StatusCode, ProblemOf((int)answer.StatusCode));
        }
        catch (OperationCanceledException)
        {
            return (0, "does not answer within 10 seconds");
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            return (0, chain.Explain(e));
        }
    }

    private static string? ProblemOf(int status) => status switch
    {
        404 or 410 or (>= 200 and < 300) => null,
        401 or 403 => $"the upstream answered {status}: it refuses the credential; replace it",
        429 => "the upstream answered 429: it asks to slow down; check again later",
        _ => $"the upstream answered {status} instead of 404; check Upstream:BaseAddress, or check again later",
    };
}

using System.Net;
using Gateway.Tests.Drift;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.Infrastructure.Identity;

namespace Gateway.Tests.RequestPath;

/// <summary>Operators see why callers are refused, whichever operation the callers use.</summary>
public sealed class RefusalMetricsTests
{
    [Theory]
    [InlineData("v0/workflows/harbour/jobs/finished-1")]
    [InlineData("v0/workflows/harbour/jobs/finished-1/events")]
    [InlineData("v0/events?job=harbour/finished-1")]
    [InlineData("v0/jobs?job=harbour/finished-1")]
    public async Task A_caller_that_may_not_read_is_counted_by_reason(string path)
    {
        await using var provider = await IdentityProvider.StartedAsync();
        await using var world = await UserWorld.StartAsync(provider);
        using var refusals = new Operating.Measured(world.Gateway, counter: "gateway.refusals");
        // Bob's team may not read the workflow. Dave has no team.
        string[] reasons = [await ReasonAsync("bob"), await ReasonAsync("dave")];

        Assert.Equal(["workflow-forbidden", "no-team"], reasons);
        Assert.Equal(["error.type=team: 1", "error.type=workflow: 1"],
            refusals.Counts.Select(count => $"{count.Key}: {count.Value}").Order(StringComparer.Ordinal));
        Assert.Equal(0, world.Upstream.Ledger.Total);

        async Task<string> ReasonAsync(string user)
        {
            using var client = world.Gateway.Client(("Authorization", $"Bearer {provider.AccessToken(user)}"));
            using var answer = await client.GetAsync(new Uri(path, UriKind.Relative), World.Cancellation);
            var text = await answer.Content.ReadAsStringAsync(World.Cancellation);
            // A batch has a problem for each job.
            var isBatch = path.StartsWith("v0/jobs", StringComparison.Ordinal);
            Assert.Equal(isBatch ? HttpStatusCode.OK : HttpStatusCode.Forbidden, answer.StatusCode);
            return text.Split("/problems/")[1].Split('"')[0];
        }
    }
}

using System.Net;
using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.Cluster;

/// <summary>The Retry-After of a quota that several nodes share holds on every node.</summary>
[Trait("Redis", "any")]
public sealed class QuotaRetryTests(RedisServer redis)
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public async Task A_retry_after_Retry_After_is_admitted_on_every_node(int back)
    {
        // The refill is one permit per two seconds.
        var quota = $"scarce-{Guid.NewGuid():N}";
        await using var world = await World.WithoutGatewayAsync(
            clock: null, ("ConnectionStrings:Redis", redis.ConnectionString),
            ("Teams:mapping:Quota", quota), ($"Quotas:{quota}:Requests", "30"), ($"Quotas:{quota}:Burst", "6"));
        GatewayNode[] nodes = [world.AddGateway(), world.AddGateway(), world.AddGateway()];
        HttpResponseMessage refused;
        var node = 0;
        do refused = await World.GetAsync(nodes[node++ % nodes.Length], "finished-1");
        while (refused.StatusCode == HttpStatusCode.OK);
        var retryAfter = refused.Headers.RetryAfter!.Delta!.Value;

        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        Assert.InRange(retryAfter.TotalSeconds, 1, 2);
        await Task.Delay(retryAfter, World.Cancellation);
        using var again = await World.GetAsync(nodes[back], "finished-1");

        Assert.Equal(HttpStatusCode.OK, again.StatusCode);
    }
}

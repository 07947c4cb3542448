using System.Net;
using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.Cluster;

/// <summary>
/// What a refused caller is told, where several nodes share a quota: it comes true on whichever it asks.
/// </summary>
[Trait("Redis", "any")]
public sealed class QuotaRetryTests(RedisServer redis)
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Who_comes_back_when_told_to_is_admitted(int back)
    {
        // One each two seconds.
        var quota = $"scarce-{Guid.NewGuid():N}";
        await using var world = await World.WithoutGatewayAsync(clock: null, ("ConnectionStrings:Redis", redis.ConnectionString),
            ("Teams:mapping:Quota", quota), ($"Quotas:{quota}:Requests", "30"), ($"Quotas:{quota}:Burst", "6"));
        GatewayNode[] nodes = [world.AddGateway(), world.AddGateway(), world.AddGateway()];
        HttpResponseMessage refused;
        var node = 0;
        do refused = await World.GetAsync(nodes[node++ % nodes.Length], "finished-1");
        while (refused.StatusCode == HttpStatusCode.OK);
        var told = refused.Headers.RetryAfter!.Delta!.Value;

        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        Assert.InRange(told.TotalSeconds, 1, 2);
        await Task.Delay(told, World.Cancellation);
        using var again = await World.GetAsync(nodes[back], "finished-1");

        Assert.Equal(HttpStatusCode.OK, again.StatusCode);
    }
}

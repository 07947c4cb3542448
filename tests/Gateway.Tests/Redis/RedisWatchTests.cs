using Gateway.Redis;
using Gateway.Tests.Infrastructure;
using Microsoft.Extensions.DependencyInjection;

namespace Gateway.Tests.Redis;

/// <summary>Exceptions in listeners of the watch over Redis.</summary>
[Trait("Redis", "any")]
public sealed class RedisWatchTests(RedisServer redis)
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(10) + Promptness.Grace;

    [Fact]
    public async Task A_listener_that_throws_does_not_end_the_watch_or_the_use_of_Redis()
    {
        await using var world = await World.StartAsync(("ConnectionStrings:Redis", redis.ConnectionString));
        var connection = world.Gateway.Services.GetRequiredService<RedisConnection>();
        var raised = 0;
        connection.Returned += () => throw new InvalidOperationException("a defect of a listener");
        connection.Returned += () => raised++;
        connection.Lost += () => throw new InvalidOperationException("another defect");

        for (var times = 1; times <= 2; times++)
        {
            connection.MarkUnavailable(new TimeoutException("a blip"));
            await Wait.UntilAsync(Bound, () => connection.IsAvailable && raised == times,
                "Redis is available again, and all listeners are called");
        }

        Assert.Contains(world.Gateway.Log.All, line => line.StartsWith("Error", StringComparison.Ordinal)
            && line.Contains("defect", StringComparison.Ordinal)
            && line.Contains($"at {typeof(RedisWatchTests).FullName}", StringComparison.Ordinal));
    }
}

using Gateway.Redis;
using Gateway.Tests.Infrastructure;
using Microsoft.Extensions.DependencyInjection;

namespace Gateway.Tests.Redis;

/// <summary>Defects that the watch over Redis comes upon.</summary>
[Trait("Redis", "any")]
public sealed class RedisWatchTests(RedisServer redis)
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(10) + Promptness.Grace;

    [Fact]
    public async Task A_listener_that_throws_keeps_redis_from_nobody_and_does_not_end_the_watch()
    {
        await using var world = await World.StartAsync(("ConnectionStrings:Redis", redis.ConnectionString));
        var connection = world.Gateway.Services.GetRequiredService<RedisConnection>();
        var told = 0;
        connection.Returned += () => throw new InvalidOperationException("a defect of a listener");
        connection.Returned += () => told++;
        connection.Lost += () => throw new InvalidOperationException("another defect");

        for (var times = 1; times <= 2; times++)
        {
            connection.Lose(new TimeoutException("a blip"));
            await Purging.WithinAsync(Bound, () => connection.IsAvailable && told == times,
                "Redis is found again, and everybody is told");
        }

        Assert.Contains(world.Gateway.Log.All, line => line.StartsWith("Error", StringComparison.Ordinal)
            && line.Contains("defect", StringComparison.Ordinal)
            && line.Contains($"at {typeof(RedisWatchTests).FullName}", StringComparison.Ordinal));
    }
}

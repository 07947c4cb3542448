using Gateway.Tests.Infrastructure;
using StackExchange.Redis;

namespace Gateway.Tests.Cluster;

/// <summary>Foreign values under the gateway's key names in Redis, under load.</summary>
[Collection(nameof(Alone))]
public sealed class ForeignValueTests : IAsyncLifetime
{
    private static readonly Func<IDatabase, string, Task>[] Foreign =
    [
        (database, name) => database.ListRightPushAsync(name, "foreign"),
        (database, name) => database.StringSetAsync(name, "foreign"),
        (database, name) => database.StringSetAsync(name, "?"),
        (database, name) => database.StringSetAsync(name, "o:forever:1"),
        (database, name) => database.StringSetAsync(name, "foreign", TimeSpan.FromMinutes(1)),
        (database, name) => database.HashSetAsync(name, "data", "foreign"),
        (database, name) => database.HashSetAsync(
            name, [new("absexp", "soon"), new("sldexp", "later"), new("data", "foreign")]),
        (database, name) => database.HashSetAsync(name, [new("order", "first"), new("finished", "yes")]),
        (database, name) => database.SortedSetAddAsync(name, "foreign", 1),
    ];

    private readonly OwnRedis _redis = new();

    [Theory]
    [InlineData("wrong type, jobs", true, false, false)]
    [InlineData("wrong type, finished jobs", false, true, false)]
    [InlineData("wrong type, locks", false, false, true)]
    [InlineData("wrong type, all", true, true, true)]
    public async Task Foreign_values_under_the_gateways_keys_are_replaced(
        string name, bool jobs, bool finished, bool locks)
    {
        await using var mood = await RedisMood.StartAsync(name, _redis.ConnectionString);
        await using var connection = await ConnectionMultiplexer.ConnectAsync(_redis.ConnectionString);
        var database = connection.GetDatabase();
        var planted = 0;
        mood.BeforeNewJob = async job =>
        {
            var kind = Interlocked.Increment(ref planted);
            var key = $"gateway:{{default/survey-1/{job}}}";
            if (jobs) await Foreign[kind % Foreign.Length](database, key);
            if (finished) await Foreign[(kind / 3) % Foreign.Length](database, key + ":finished");
            if (locks) await Foreign[(kind / 2) % Foreign.Length](database, key + ":lock");
        };
        await mood.RunAsync(async () =>
        {
            await Task.Delay(TimeSpan.FromSeconds(2), World.Cancellation);
            mood.BeforeNewJob = _ => Task.CompletedTask;
        });

        await mood.VerifyAsync();
        // No job was fetched by both nodes: foreign values are removed at once, and Redis was used all the time.
        Assert.All(mood.Calls, job => Assert.Equal(1, job.Value));
        Assert.True(planted > 2 * Foreign.Length);
    }

    public async ValueTask InitializeAsync() => await _redis.StartAsync();

    public ValueTask DisposeAsync() => _redis.DisposeAsync();
}

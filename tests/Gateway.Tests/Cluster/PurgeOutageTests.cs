using System.Net;
using Gateway.Redis;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.RequestPath;
using Microsoft.Extensions.DependencyInjection;
using StackExchange.Redis;

namespace Gateway.Tests.Cluster;

/// <summary>Purges while nodes and Redis are apart, each test on a Redis of its own.</summary>
public sealed class PurgeOutageTests : IAsyncLifetime
{
    // What is promised: within 5 seconds of Redis's return all is as before.
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(5) + Promptness.Grace;

    private readonly RedisServer _redis = new();
    private readonly string _job = $"finished-{Guid.NewGuid():N}";
    private RedisProxy _line = null!;
    private RedisProxy _otherLine = null!;
    private World _world = null!;
    private GatewayNode _other = null!;

    /// <summary>Two nodes that both have the job in memory, each with a line of its own to one Redis.</summary>
    public async ValueTask InitializeAsync()
    {
        await _redis.InitializeAsync();
        (_line, _otherLine) = (new RedisProxy(_redis.Port), new RedisProxy(_redis.Port));
        _world = await World.StartAsync([("ConnectionStrings:Redis", _line.ConnectionString), .. World.DefaultAccount, .. Purging.Operator]);
        _other = _world.AddGateway(("ConnectionStrings:Redis", _otherLine.ConnectionString));
        Assert.False(await Purging.IsHitAsync(_world.Gateway, _job));
        Assert.True(await Purging.IsHitAsync(_other, _job));
    }

    public async ValueTask DisposeAsync()
    {
        await _world.DisposeAsync();
        await _line.DisposeAsync();
        await _otherLine.DisposeAsync();
        await _redis.DisposeAsync();
    }

    [Theory]
    [InlineData("default/survey-1/JOB")]
    [InlineData("default/survey-1")]
    [InlineData("default")]
    [InlineData("")]
    public async Task A_node_that_missed_a_purge_learns_of_it_when_it_is_connected_again(string scope)
    {
        _otherLine.Cut();
        Assert.Equal((1, 1), await Purging.CountAsync(_world.Gateway, scope.Replace("JOB", _job, StringComparison.Ordinal)));
        Assert.True(await Purging.IsHitAsync(_other, _job));

        _otherLine.GetWell();

        await HasPurgedAsync(_other);
        // It may have learned of the purge an instant before it used Redis again.
        await Purging.IsHitAsync(_world.Gateway, _job);
        Assert.True(await Purging.IsHitAsync(_world.Gateway, _job));
        Assert.InRange(_world.Upstream.Ledger.Total, 2, 3);
    }

    [Fact]
    public async Task A_node_whose_connection_broke_for_a_moment_learns_of_the_purge_it_missed()
    {
        _otherLine.Cut();
        Assert.Equal((1, 1), await Purging.CountAsync(_world.Gateway, "default"));
        _otherLine.GetWell();
        await HasPurgedAsync(_other);
    }

    [Fact]
    public async Task A_purge_that_redis_has_lost_comes_back_with_a_node_that_knows_of_it()
    {
        _otherLine.Cut();
        Assert.Equal((1, 1), await Purging.CountAsync(_world.Gateway, "default"));
        _line.Cut();
        await LosesRedisAsync(_world.Gateway);
        await LoseLogAsync();
        _otherLine.GetWell();
        await FindsRedisAsync(_other);
        Assert.True(await Purging.IsHitAsync(_other, _job));

        _line.GetWell();

        await HasPurgedAsync(_other);
    }

    [Fact]
    public async Task A_purge_that_redis_has_lost_is_written_down_again_by_a_node_that_stayed()
    {
        _otherLine.Cut();
        Assert.Equal((1, 1), await Purging.CountAsync(_world.Gateway, "default"));
        await LoseLogAsync();
        _otherLine.GetWell();
        await HasPurgedAsync(_other);
    }

    [Fact]
    public async Task A_purge_without_redis_is_503_and_holds_for_this_node_and_can_be_repeated()
    {
        _line.Cut();
        using var answer = await Purging.PurgeAsync(_world.Gateway, "default/survey-1");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        Assert.Equal("/problems/purge-incomplete", await BoundTests.ProblemTypeAsync(answer));
        Assert.NotNull(answer.Headers.RetryAfter?.Delta);
        Assert.False(await Purging.IsHitAsync(_world.Gateway, _job));
        Assert.True(await Purging.IsHitAsync(_other, _job));

        _line.GetWell();
        await Purging.WithinAsync(Soon, async () =>
        {
            using var again = await Purging.PurgeAsync(_world.Gateway, "default/survey-1");
            return again.IsSuccessStatusCode;
        }, "the purge is complete");

        await HasPurgedAsync(_other);
    }

    [Fact]
    public async Task A_purge_without_redis_reaches_the_other_nodes_when_it_is_back()
    {
        // What all know already, so that the log does not grow by the purge that comes late.
        await Purging.CountAsync(_other, "default/survey-1");
        await Purging.IsHitAsync(_world.Gateway, _job);
        await Purging.IsHitAsync(_other, _job);
        _line.Cut();
        using var answer = await Purging.PurgeAsync(_world.Gateway, "default/survey-1");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        // Later, and the last in the log.
        await Purging.CountAsync(_other, "default/survey-2");
        Assert.True(await Purging.IsHitAsync(_other, _job));
        await Task.Delay(TimeSpan.FromSeconds(1.5), World.Cancellation);

        _line.GetWell();

        await HasPurgedAsync(_other);
    }

    // It is asked every now and then, as clients would, and calls the upstream once.
    private async Task HasPurgedAsync(GatewayNode node) =>
        await Purging.WithinAsync(Soon, async () => !await Purging.IsHitAsync(node, _job), "the job is gone");

    private async Task LoseLogAsync()
    {
        await using var connection = await ConnectionMultiplexer.ConnectAsync(_redis.ConnectionString);
        Assert.True(await connection.GetDatabase().KeyDeleteAsync("gateway:purges"));
    }

    private static Task LosesRedisAsync(GatewayNode node) => Purging.WithinAsync(Soon, () => !Redis(node).IsAvailable, "Redis is lost");

    private static Task FindsRedisAsync(GatewayNode node) => Purging.WithinAsync(Soon, () => Redis(node).IsAvailable, "Redis is found");

    private static RedisConnection Redis(GatewayNode node) => node.Services.GetRequiredService<RedisConnection>();
}

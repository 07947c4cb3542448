using System.Net;
using Gateway.Redis;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.RequestPath;
using Microsoft.Extensions.DependencyInjection;
using StackExchange.Redis;

namespace Gateway.Tests.Cluster;

/// <summary>Purges while nodes are disconnected from Redis. Each test has its own Redis.</summary>
public sealed class PurgeOutageTests : IAsyncLifetime
{
    // All nodes have caught up within 5 seconds of Redis's return.
    private static readonly TimeSpan CatchUpTime = TimeSpan.FromSeconds(5) + Promptness.Grace;

    private readonly RedisServer _redis = new();
    private readonly string _job = $"finished-{Guid.NewGuid():N}";
    private RedisProxy _line = null!;
    private RedisProxy _otherLine = null!;
    private World _world = null!;
    private GatewayNode _other = null!;

    /// <summary>Two nodes that both have the job in memory, each with its own connection to one Redis.</summary>
    public async ValueTask InitializeAsync()
    {
        await _redis.InitializeAsync();
        (_line, _otherLine) = (new RedisProxy(_redis.Port), new RedisProxy(_redis.Port));
        _world = await World.StartAsync(
            [("ConnectionStrings:Redis", _line.ConnectionString), .. World.DefaultAccount, .. Purging.Operator]);
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
    public async Task A_node_applies_a_missed_purge_when_it_reconnects(string scope)
    {
        _otherLine.Cut();
        Assert.Equal(
            (1, 1), await Purging.CountAsync(_world.Gateway, scope.Replace("JOB", _job, StringComparison.Ordinal)));
        Assert.True(await Purging.IsHitAsync(_other, _job));

        _otherLine.GetWell();

        await HasPurgedAsync(_other);
        // The node may have learned of the purge just before it used Redis again.
        await Purging.IsHitAsync(_world.Gateway, _job);
        Assert.True(await Purging.IsHitAsync(_world.Gateway, _job));
        Assert.InRange(_world.Upstream.Ledger.Total, 2, 3);
    }

    [Fact]
    public async Task A_node_applies_a_purge_missed_during_a_brief_disconnection()
    {
        _otherLine.Cut();
        Assert.Equal((1, 1), await Purging.CountAsync(_world.Gateway, "default"));
        _otherLine.GetWell();
        await HasPurgedAsync(_other);
    }

    [Fact]
    public async Task A_purge_lost_by_Redis_is_restored_by_a_node_that_reconnects()
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
    public async Task A_purge_lost_by_Redis_is_restored_by_a_connected_node()
    {
        _otherLine.Cut();
        Assert.Equal((1, 1), await Purging.CountAsync(_world.Gateway, "default"));
        await LoseLogAsync();
        _otherLine.GetWell();
        await HasPurgedAsync(_other);
    }

    [Fact]
    public async Task A_purge_without_Redis_is_503_and_applies_to_this_node_and_can_be_repeated()
    {
        _line.Cut();
        using var answer = await Purging.PurgeAsync(_world.Gateway, "default/survey-1");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        Assert.Equal("/problems/purge-incomplete", await BoundTests.ProblemTypeAsync(answer));
        Assert.NotNull(answer.Headers.RetryAfter?.Delta);
        Assert.False(await Purging.IsHitAsync(_world.Gateway, _job));
        Assert.True(await Purging.IsHitAsync(_other, _job));

        _line.GetWell();
        await Wait.UntilAsync(CatchUpTime, async () =>
        {
            using var again = await Purging.PurgeAsync(_world.Gateway, "default/survey-1");
            return again.IsSuccessStatusCode;
        }, "the purge is complete");

        await HasPurgedAsync(_other);
    }

    [Fact]
    public async Task A_purge_without_Redis_reaches_the_other_nodes_after_the_outage()
    {
        // All nodes know this purge, so the late purge does not make the log longer.
        await Purging.CountAsync(_other, "default/survey-1");
        await Purging.IsHitAsync(_world.Gateway, _job);
        await Purging.IsHitAsync(_other, _job);
        _line.Cut();
        using var answer = await Purging.PurgeAsync(_world.Gateway, "default/survey-1");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        // A later purge, which is last in the log.
        await Purging.CountAsync(_other, "default/survey-2");
        Assert.True(await Purging.IsHitAsync(_other, _job));
        await Task.Delay(TimeSpan.FromSeconds(1.5), World.Cancellation);

        _line.GetWell();

        await HasPurgedAsync(_other);
    }

    // Requests the job repeatedly, like clients, which calls the upstream once.
    private async Task HasPurgedAsync(GatewayNode node) =>
        await Wait.UntilAsync(CatchUpTime, async () => !await Purging.IsHitAsync(node, _job), "the job is gone");

    private async Task LoseLogAsync()
    {
        await using var connection = await ConnectionMultiplexer.ConnectAsync(_redis.ConnectionString);
        Assert.True(await connection.GetDatabase().KeyDeleteAsync("gateway:purges"));
    }

    private static Task LosesRedisAsync(GatewayNode node) =>
        Wait.UntilAsync(CatchUpTime, () => !Redis(node).IsAvailable, "Redis is lost");

    private static Task FindsRedisAsync(GatewayNode node) =>
        Wait.UntilAsync(CatchUpTime, () => Redis(node).IsAvailable, "Redis is found");

    private static RedisConnection Redis(GatewayNode node) => node.Services.GetRequiredService<RedisConnection>();
}

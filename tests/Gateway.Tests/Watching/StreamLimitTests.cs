using System.Net;
using System.Text.Json;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.Infrastructure.Identity;
using Simulator;

namespace Gateway.Tests.Watching;

/// <summary>How many streams a node and a team may have, and what a stream takes of a quota.</summary>
public sealed class StreamLimitTests
{
    private static readonly string Path = EventReader.PathOf("life");

    [Theory]
    [InlineData("Watching:MaxWatchers")]
    [InlineData("Watching:MaxWatchersPerTeam")]
    public async Task A_stream_beyond_the_limit_is_429_before_it_begins_and_leaves_room_for_others(string limit)
    {
        await using var world = await WorldAsync(LifeStage.Running, (limit, "2"));
        const string Three = "v0/events?job=survey-1/life&job=survey-1/run-60&job=survey-1/run-61";
        await using var refused = await EventReader.OpenAsync(world.Gateway, Three);
        await using var stream = await EventReader.OpenAsync(
            world.Gateway, "v0/events?job=survey-1/life&job=survey-1/run-60");

        Assert.Equal(HttpStatusCode.TooManyRequests, refused.Status);
        Assert.True(refused.Answer.Headers.RetryAfter!.Delta > TimeSpan.Zero);
        var problem = await refused.Answer.Content.ReadAsStringAsync(World.Cancellation);
        Assert.Equal("/problems/too-many-watchers", JsonElement.Parse(problem).GetProperty("type").GetString());
        Assert.Equal(HttpStatusCode.OK, stream.Status);
    }

    [Fact]
    public async Task A_stream_of_several_jobs_takes_one_permit_of_each_team_that_it_charges()
    {
        await using var provider = await IdentityProvider.StartedAsync();
        await using var world = await UserWorld.StartAsync(
            provider, [.. Quota("two", 2), ("Teams:mapping:Quota", "two"), ("Teams:survey:Quota", "two"),
                ("Teams:mapping:Workflows:0", "harbour")]);
        var token = ("Authorization", $"Bearer {provider.AccessToken("carol")}");
        await using var stream = await EventReader.OpenAsync(world.Gateway.Address,
            "v0/events?job=harbour/run-60&job=survey-1/run-60&job=harbour/run-61&job=survey-1/run-61", token);

        Assert.Equal(HttpStatusCode.OK, stream.Status);
        foreach (var workflow in (string[])["harbour", "survey-1"])
        {
            await using var second = await EventReader.OpenAsync(
                world.Gateway.Address, EventReader.PathOf("run-60", workflow), token);
            await using var third = await EventReader.OpenAsync(
                world.Gateway.Address, EventReader.PathOf("run-60", workflow), token);
            Assert.Equal((HttpStatusCode.OK, HttpStatusCode.TooManyRequests), (second.Status, third.Status));
        }
    }

    [Fact]
    public async Task A_stream_takes_one_permit_and_its_events_take_none()
    {
        await using var world = await WorldAsync(
            LifeStage.Queued, [.. Quota("two", 2), ("Teams:mapping:Quota", "two")]);
        await using var stream = await EventReader.OpenAsync(world.Gateway, Path);
        await stream.NextAsync("job");
        foreach (var stage in (LifeStage[])[LifeStage.Running, LifeStage.Queued, LifeStage.Running])
        {
            world.Upstream.Lives.Set("life", stage);
            await stream.NextAsync("job");
        }
        await using var second = await EventReader.OpenAsync(world.Gateway, Path);
        await using var third = await EventReader.OpenAsync(world.Gateway, Path);

        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.TooManyRequests), (second.Status, third.Status));
    }

    private static (string Key, string? Value)[] Quota(string name, int permits) =>
    [
        ($"Quotas:{name}:Requests", $"{permits}"), ($"Quotas:{name}:Burst", $"{permits}"),
        ($"Quotas:{name}:Window", "01:00:00"),
    ];

    private static async Task<World> WorldAsync(LifeStage stage, params (string Key, string? Value)[] settings)
    {
        var world = await World.StartAsync(settings);
        world.Upstream.Lives.Set("life", stage);
        return world;
    }
}

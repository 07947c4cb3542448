using System.Diagnostics;
using System.Net;
using System.Text.Json;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.Infrastructure.Identity;
using Gateway.Watching;
using Microsoft.Extensions.DependencyInjection;
using Simulator;
using StackExchange.Redis;

namespace Gateway.Tests.Watching;

/// <summary>A caller whose permission ends while it watches.</summary>
[Trait("Redis", "any")]
public sealed class PermissionTests(RedisServer redis)
{
    private static readonly string Path = EventReader.PathOf("life");

    private static readonly TimeSpan Promised = TimeSpan.FromSeconds(1) + Promptness.Grace;

    [Theory]
    [InlineData("Teams:mapping:ApiKeys:0:Sha256", null, 401)]
    [InlineData("Teams:mapping:ApiKeys:0:ExpiresAt", "2020-01-01T00:00:00Z", 401)]
    [InlineData("Teams:mapping:Workflows:0", "other-*", 403)]
    public async Task A_stream_ends_within_a_second_after_the_configuration_has_taken_its_permission(
        string key, string? value, int status)
    {
        await using var world = await WorldAsync();
        await using var stream = await EventReader.OpenAsync(world.Gateway, Path);
        await using var many = await EventReader.OpenAsync(
            world.Gateway, "v0/events?job=survey-1/life&job=survey-1/run-60");
        await stream.NextAsync("job");
        await UntilCheckedAsync();

        var started = Stopwatch.GetTimestamp();
        world.Gateway.Reconfigure((key, value ?? World.Sha256("another-key-0123456789")));

        foreach (var open in new[] { stream, many })
        {
            var problem = (await open.RestAsync())[^1];
            Assert.Equal("problem", problem.EventType);
            var body = JsonElement.Parse(problem.Data);
            Assert.Equal((status, false),
                (body.GetProperty("status").GetInt32(), body.GetProperty("retryable").GetBoolean()));
            // The problem is about the whole stream.
            Assert.False(body.TryGetProperty("job_id", out _));
        }
        Assert.InRange(Stopwatch.GetElapsedTime(started), TimeSpan.Zero, Promised);
    }

    [Fact]
    public async Task A_stream_goes_on_after_a_change_of_the_configuration_that_leaves_its_permission()
    {
        await using var world = await WorldAsync();
        await using var stream = await EventReader.OpenAsync(world.Gateway, Path);
        await stream.NextAsync("job");

        world.Gateway.Reconfigure(("Teams:mapping:Workflows:1", "more-*"));
        await stream.AssertSilentAsync(TimeSpan.FromSeconds(2));
        world.Upstream.Lives.Set("life", LifeStage.Failed);

        await stream.NextAsync("job");
    }

    [Fact]
    public async Task A_stream_of_a_team_that_moves_to_another_account_ends_so_that_its_client_connects_again()
    {
        await using var world = await WorldAsync(("Upstream:Accounts:other:Credential", Canary.Credential));
        await using var stream = await EventReader.OpenAsync(world.Gateway, Path);
        await stream.NextAsync("job");
        await UntilCheckedAsync();

        world.Gateway.Reconfigure(("Teams:mapping:Account", "other"));

        Assert.Empty(await stream.RestAsync());
    }

    [Fact]
    public async Task A_stream_ends_when_its_token_expires()
    {
        await using var provider = await IdentityProvider.StartedAsync();
        await using var world = await UserWorld.StartAsync(
            provider, ("Authentication:ClockSkew", "00:00:00"));
        world.Upstream.Lives.Set("life", LifeStage.Running);
        var expiry = DateTimeOffset.UtcNow.AddSeconds(6);
        var token = provider.AccessToken(change: jwt => jwt with { Expires = expiry });
        await using var stream = await EventReader.OpenAsync(
            world.Gateway.Address, Path, ("Authorization", $"Bearer {token}"));
        await stream.NextAsync("job");

        var problem = await stream.NextAsync("problem");

        Assert.Equal(401, JsonElement.Parse(problem.Data).GetProperty("status").GetInt32());
        Assert.InRange(DateTimeOffset.UtcNow, expiry.AddSeconds(-1), expiry + Promised);
    }

    [Fact]
    public async Task A_stream_ends_when_its_key_expires()
    {
        var expiry = DateTimeOffset.UtcNow.AddSeconds(50);
        await using var world = await World.StopClockAsync(("Teams:mapping:ApiKeys:0:ExpiresAt", $"{expiry:O}"));
        world.Upstream.Lives.Set("life", LifeStage.Running);
        await using var stream = await EventReader.OpenAsync(world.Gateway, Path);
        await stream.NextAsync("job");

        await AssertEndsAtAsync(world, stream, expiry);
    }

    [Theory]
    [InlineData("00:01:10", "08:00:00", 70)]
    [InlineData("00:01:30", "00:01:30", 83)]
    public async Task A_stream_does_not_extend_its_session_and_ends_with_it(string idle, string absolute, int seconds)
    {
        await using var provider = await IdentityProvider.StartedAsync();
        await using var world = await UserWorld.StopClockAsync(provider,
            ("Authentication:Oidc:IdleLifetime", idle), ("Authentication:Oidc:AbsoluteLifetime", absolute));
        world.Upstream.Lives.Set("life", LifeStage.Running);
        using var visitor = Visitor.Of(provider);
        using var landed = await visitor.LogInAsync(provider, world.Gateway.Address);
        world.Clock!.Advance(TimeSpan.FromSeconds(7));
        var end = world.Clock.GetUtcNow().AddSeconds(seconds);
        await using var stream = await OpenAsync(world, visitor);
        await stream.NextAsync("job");
        if (idle == absolute)
        {
            // Other requests extend the idle time, but not the absolute lifetime.
            world.Clock.Advance(TimeSpan.FromSeconds(45));
            Assert.Equal(HttpStatusCode.OK, await visitor.StatusAsync(world.Gateway.Address));
        }

        await AssertEndsAtAsync(world, stream, end);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_stream_ends_when_its_session_ends_on_any_node(bool byProvider)
    {
        await using var provider = await IdentityProvider.StartedAsync();
        await using var world = await UserWorld.StartAsync(
            provider, ("ConnectionStrings:Redis", redis.ConnectionString));
        world.Upstream.Lives.Set("life", LifeStage.Running);
        var other = world.AddGateway();
        provider.Register(other.Address);
        using var visitor = Visitor.Of(provider);
        using var landed = await visitor.LogInAsync(provider, world.Gateway.Address);
        await using var stream = await OpenAsync(world, visitor);
        Assert.Equal(HttpStatusCode.OK, stream.Status);
        await stream.NextAsync("job");
        await UntilCheckedAsync();

        var started = Stopwatch.GetTimestamp();
        if (byProvider)
        {
            var token = provider.LogoutToken(User.Alice.Subject);
            Assert.Equal(200, await Callers.Sessions.ClusterSessionTests.EndAsync(other, token));
        }
        else await visitor.LogOutAsync(other.Address);

        var problem = await stream.NextAsync("problem");
        Assert.InRange(Stopwatch.GetElapsedTime(started), TimeSpan.Zero, Promised);
        Assert.Equal(401, JsonElement.Parse(problem.Data).GetProperty("status").GetInt32());
        Assert.Empty(await stream.RestAsync());
    }

    [Fact]
    public async Task A_stream_does_not_extend_the_idle_time_that_nodes_share()
    {
        await using var provider = await IdentityProvider.StartedAsync();
        await using var world = await UserWorld.StartAsync(
            provider, ("ConnectionStrings:Redis", redis.ConnectionString));
        world.Upstream.Lives.Set("life", LifeStage.Running);
        using var visitor = Visitor.Of(provider);
        using var landed = await visitor.LogInAsync(provider, world.Gateway.Address);
        await using var stream = await OpenAsync(world, visitor);
        await stream.NextAsync("job");

        // The node reads the session of a stream every 15 seconds.
        await using var connection = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString);
        Assert.True(await connection.GetDatabase().KeyExpireAsync(
            $"gateway:session:{World.Sha256(visitor.Session!)}", TimeSpan.FromSeconds(16)));

        var problem = await stream.NextAsync("problem");
        Assert.Equal(401, JsonElement.Parse(problem.Data).GetProperty("status").GetInt32());
    }

    [Theory]
    [InlineData("same-origin", null, HttpStatusCode.OK)]
    [InlineData("cross-site", null, HttpStatusCode.Forbidden)]
    [InlineData("same-site", null, HttpStatusCode.Forbidden)]
    [InlineData("none", null, HttpStatusCode.Forbidden)]
    [InlineData(null, null, HttpStatusCode.Forbidden)]
    [InlineData("same-origin", "https://evil.example", HttpStatusCode.Forbidden)]
    public async Task A_session_opens_a_stream_without_X_CSRF_only_from_the_gateways_own_origin(
        string? site, string? origin, HttpStatusCode expected)
    {
        await using var provider = await IdentityProvider.StartedAsync();
        await using var world = await UserWorld.StartAsync(provider);
        world.Upstream.Lives.Set("life", LifeStage.Running);
        using var visitor = Visitor.Of(provider);
        using var landed = await visitor.LogInAsync(provider, world.Gateway.Address);
        var headers = new List<(string, string)> { ("Cookie", $"{Visitor.SessionCookie}={visitor.Session}") };
        if (site is not null) headers.Add(("Sec-Fetch-Site", site));
        if (origin is not null) headers.Add(("Origin", origin));

        await using var stream = await EventReader.OpenAsync(world.Gateway.Address, Path, [.. headers]);
        await using var job = await EventReader.OpenAsync(
            world.Gateway.Address, "v0/workflows/survey-1/jobs/life", [.. headers]);

        Assert.Equal((expected, HttpStatusCode.Forbidden), (stream.Status, job.Status));
    }

    [Theory]
    [InlineData("Teams:mapping:ApiKeys:0:Sha256", null, HttpStatusCode.Unauthorized)]
    [InlineData("Teams:mapping:Workflows:0", "other-*", HttpStatusCode.Forbidden)]
    public async Task A_long_poll_whose_permission_ends_while_it_waits_is_refused(
        string key, string? value, HttpStatusCode expected)
    {
        await using var world = await WorldAsync();
        var watched = world.Gateway.Services.GetRequiredService<WatchedJobs>();
        var polling = world.GetAsync("life", headers: ("Prefer", "wait=60"));
        await Wait.UntilAsync(TimeSpan.FromSeconds(10), () => watched.Watchers == 1, "the caller waits");

        world.Gateway.Reconfigure((key, value ?? World.Sha256("another-key-0123456789")));
        world.Upstream.Lives.Set("life", LifeStage.Failed);

        using var answer = await polling;
        Assert.Equal(expected, answer.StatusCode);
    }

    // A stream is always checked soon after its start. A test must not mistake this check for the one it waits for.
    private static Task UntilCheckedAsync() => Task.Delay(TimeSpan.FromSeconds(1), World.Cancellation);

    // Moves a stopped clock until the stream ends.
    private static async Task AssertEndsAtAsync(World world, EventReader stream, DateTimeOffset expected)
    {
        var ending = stream.NextAsync("problem");
        while (!ending.IsCompleted && world.Clock!.GetUtcNow() < expected.AddSeconds(10))
        {
            world.Clock.Advance(TimeSpan.FromMilliseconds(200));
            await Task.Delay(5, World.Cancellation);
        }
        Assert.InRange(world.Clock!.GetUtcNow(), expected, expected.AddSeconds(5));
        Assert.Equal(401, JsonElement.Parse((await ending).Data).GetProperty("status").GetInt32());
    }

    private static Task<EventReader> OpenAsync(World world, Visitor visitor) =>
        EventReader.OpenAsync(world.Gateway.Address, Path,
            ("Cookie", $"{Visitor.SessionCookie}={visitor.Session}"), ("Sec-Fetch-Site", "same-origin"));

    private static async Task<World> WorldAsync(params (string Key, string? Value)[] settings)
    {
        var world = await World.StartAsync(settings);
        world.Upstream.Lives.Set("life", LifeStage.Running);
        return world;
    }
}

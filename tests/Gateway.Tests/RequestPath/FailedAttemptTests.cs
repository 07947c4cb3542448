using System.Net;
using System.Net.Sockets;
using Gateway.Callers;
using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.RequestPath;

/// <summary>What a source that guesses gets, and what those get who share it.</summary>
public sealed class GuessingTests
{
    private const string Guesser = "127.0.0.2", Other = "127.0.0.3";

    [Fact]
    public async Task A_source_that_guesses_is_slowed_down_and_a_right_guess_looks_like_a_wrong_one()
    {
        await using var world = await World.StopClockAsync(("Authentication:FailedAttempts", "3"));
        for (var i = 0; i < 3; i++) Assert.Equal(401, (await GetAsync(world, Guesser, $"guess-{i}")).Status);

        var wrong = await GetAsync(world, Guesser, "guess-3");
        var right = await GetAsync(world, Guesser, World.MappingKey);

        Assert.Equal((429, "/problems/too-many-attempts", 20), wrong);
        Assert.Equal(wrong, right);
        Assert.Equal(0, world.Upstream.Ledger.Total);
    }

    [Fact]
    public async Task When_a_slowed_down_source_may_try_again_it_may()
    {
        await using var world = await World.StopClockAsync(("Authentication:FailedAttempts", "3"));
        for (var i = 0; i < 3; i++) await GetAsync(world, Guesser, $"guess-{i}");
        var (_, _, retryAfter) = await GetAsync(world, Guesser, World.MappingKey);
        world.Clock!.Advance(TimeSpan.FromSeconds(retryAfter!.Value - 1));
        var early = await GetAsync(world, Guesser, World.MappingKey);
        world.Clock.Advance(TimeSpan.FromSeconds(1));

        var inTime = await GetAsync(world, Guesser, World.MappingKey);

        Assert.Equal((429, 200), (early.Status, inTime.Status));
    }

    [Fact]
    public async Task Others_are_not_slowed_down()
    {
        await using var world = await World.StopClockAsync(("Authentication:FailedAttempts", "1"));
        for (var i = 0; i < 5; i++) await GetAsync(world, Guesser, $"guess-{i}");
        Assert.Equal(200, (await GetAsync(world, Other, World.MappingKey)).Status);
        Assert.Equal(401, (await GetAsync(world, Other, "guess")).Status);
    }

    [Fact]
    public async Task A_key_that_a_source_used_before_goes_on_there_also_after_a_change_of_configuration()
    {
        await using var world = await World.StopClockAsync(("Authentication:FailedAttempts", "1"));
        await GetAsync(world, Guesser, World.MappingKey);
        for (var i = 0; i < 5; i++) await GetAsync(world, Guesser, $"guess-{i}");

        Assert.Equal(200, (await GetAsync(world, Guesser, World.MappingKey)).Status);
        Assert.Equal(429, (await GetAsync(world, Guesser, World.SurveyKey)).Status);
        world.Gateway.Reconfigure(("Teams:mapping:Workflows:1", "more"));
        Assert.Equal(200, (await GetAsync(world, Guesser, World.MappingKey)).Status);
    }

    [Fact]
    public async Task Operators_keys_are_guarded_likewise()
    {
        await using var world = await World.StopClockAsync([.. Purging.Operator, ("Authentication:FailedAttempts", "1")]);
        for (var i = 0; i < 2; i++) await GetAsync(world, Guesser, $"guess-{i}");
        using var client = Client(world, Guesser, Purging.OperatorKey);
        using var answer = await client.DeleteAsync(Purging.Path("default"), World.Cancellation);
        Assert.Equal(HttpStatusCode.TooManyRequests, answer.StatusCode);
    }

    [Fact]
    public async Task What_is_no_guess_is_not_counted()
    {
        await using var world = await World.StopClockAsync(
            ("Authentication:FailedAttempts", "1"), ("Teams:mapping:ApiKeys:0:ExpiresAt", "2020-01-01"));
        for (var i = 0; i < 5; i++) Assert.Equal(401, (await GetAsync(world, Guesser, World.MappingKey)).Status);
        Assert.Equal(200, (await GetAsync(world, Guesser, World.SurveyKey)).Status);
    }

    [Fact]
    public async Task A_client_that_goes_on_with_an_old_key_is_told_that_it_is_not_known()
    {
        await using var world = await World.StopClockAsync(("Authentication:FailedAttempts", "2"));
        for (var i = 0; i < 50; i++) Assert.Equal(401, (await GetAsync(world, Guesser, "old-key")).Status);
        Assert.Equal(401, (await GetAsync(world, Guesser, "guess")).Status);
        Assert.Equal(429, (await GetAsync(world, Guesser, "another guess")).Status);
    }

    [Fact]
    public async Task So_are_several_clients_of_one_source_with_old_keys_each()
    {
        await using var world = await World.StopClockAsync(("Authentication:FailedAttempts", "10"));
        for (var i = 0; i < 100; i++) Assert.Equal(401, (await GetAsync(world, Guesser, $"old-key-{i % 8}")).Status);
        Assert.Equal(200, (await GetAsync(world, Guesser, World.MappingKey)).Status);
    }

    [Fact]
    public async Task A_key_that_the_gateway_made_is_taken_whoever_guesses_beside_it()
    {
        var key = GatewayKey.Create();
        await using var world = await World.StopClockAsync(("Authentication:FailedAttempts", "1"), ("Teams:mapping:ApiKeys:0:Sha256", World.Sha256(key)));
        for (var i = 0; i < 5; i++) await GetAsync(world, Guesser, $"guess-{i}");
        Assert.Equal(200, (await GetAsync(world, Guesser, key)).Status);
        Assert.Single(world.Gateway.Log.All, line => line.Contains("Gateway.Callers.FailedAttemptLimiter", StringComparison.Ordinal));
    }

    [Fact]
    public async Task With_0_any_number_of_attempts_is_allowed()
    {
        await using var world = await World.StopClockAsync(("Authentication:FailedAttempts", "0"));
        for (var i = 0; i < 50; i++) Assert.Equal(401, (await GetAsync(world, Guesser, $"guess-{i}")).Status);
    }

    private static async Task<(int Status, string? Type, int? RetryAfter)> GetAsync(World world, string source, string key)
    {
        using var client = Client(world, source, key);
        using var answer = await client.GetAsync(new Uri("v0/workflows/survey-1/jobs/finished-1", UriKind.Relative), World.Cancellation);
        return ((int)answer.StatusCode, answer.IsSuccessStatusCode ? null : await BoundTests.ProblemTypeAsync(answer),
            (int?)answer.Headers.RetryAfter?.Delta?.TotalSeconds);
    }

    private static HttpClient Client(World world, string source, string key)
    {
        var handler = new SocketsHttpHandler
        {
            ConnectCallback = async (context, cancellation) =>
            {
                var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                socket.Bind(new IPEndPoint(IPAddress.Parse(source), 0));
                await socket.ConnectAsync(context.DnsEndPoint, cancellation);
                return new NetworkStream(socket, ownsSocket: true);
            },
        };
        return new HttpClient(handler) { BaseAddress = world.Gateway.Address, DefaultRequestHeaders = { { "X-Api-Key", key } } };
    }
}

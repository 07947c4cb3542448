using System.Net;
using System.Net.Sockets;
using Gateway.Callers;
using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.RequestPath;

/// <summary>
/// The failed-attempt limiter, for a source that tries wrong keys and for callers that share the source.
/// </summary>
public sealed class FailedAttemptTests
{
    private const string Source = "127.0.0.2", Other = "127.0.0.3";

    [Fact]
    public async Task A_source_over_the_limit_gets_the_same_429_for_a_wrong_and_a_valid_key()
    {
        await using var world = await World.StopClockAsync(("Authentication:FailedAttempts", "3"));
        for (var i = 0; i < 3; i++) Assert.Equal(401, (await GetAsync(world, Source, $"guess-{i}")).Status);

        var wrong = await GetAsync(world, Source, "guess-3");
        var right = await GetAsync(world, Source, World.MappingKey);

        Assert.Equal((429, "/problems/too-many-attempts", 20), wrong);
        Assert.Equal(wrong, right);
        Assert.Equal(0, world.Upstream.Ledger.Total);
    }

    [Fact]
    public async Task A_source_over_the_limit_may_try_again_after_Retry_After()
    {
        await using var world = await World.StopClockAsync(("Authentication:FailedAttempts", "3"));
        for (var i = 0; i < 3; i++) await GetAsync(world, Source, $"guess-{i}");
        var (_, _, retryAfter) = await GetAsync(world, Source, World.MappingKey);
        world.Clock!.Advance(TimeSpan.FromSeconds(retryAfter!.Value - 1));
        var early = await GetAsync(world, Source, World.MappingKey);
        world.Clock.Advance(TimeSpan.FromSeconds(1));

        var inTime = await GetAsync(world, Source, World.MappingKey);

        Assert.Equal((429, 200), (early.Status, inTime.Status));
    }

    [Fact]
    public async Task Another_source_is_not_limited()
    {
        await using var world = await World.StopClockAsync(("Authentication:FailedAttempts", "1"));
        for (var i = 0; i < 5; i++) await GetAsync(world, Source, $"guess-{i}");
        Assert.Equal(200, (await GetAsync(world, Other, World.MappingKey)).Status);
        Assert.Equal(401, (await GetAsync(world, Other, "guess")).Status);
    }

    [Fact]
    public async Task A_key_used_earlier_by_the_source_stays_accepted_after_a_configuration_change()
    {
        await using var world = await World.StopClockAsync(("Authentication:FailedAttempts", "1"));
        await GetAsync(world, Source, World.MappingKey);
        for (var i = 0; i < 5; i++) await GetAsync(world, Source, $"guess-{i}");

        Assert.Equal(200, (await GetAsync(world, Source, World.MappingKey)).Status);
        Assert.Equal(429, (await GetAsync(world, Source, World.SurveyKey)).Status);
        world.Gateway.Reconfigure(("Teams:mapping:Workflows:1", "more"));
        Assert.Equal(200, (await GetAsync(world, Source, World.MappingKey)).Status);
    }

    [Fact]
    public async Task Attempts_with_operator_keys_are_limited()
    {
        await using var world = await World.StopClockAsync(
            [.. Purging.Operator, ("Authentication:FailedAttempts", "1")]);
        for (var i = 0; i < 2; i++) await GetAsync(world, Source, $"guess-{i}");
        using var client = Client(world, Source, Purging.OperatorKey);
        using var answer = await client.DeleteAsync(Purging.Path("default"), World.Cancellation);
        Assert.Equal(HttpStatusCode.TooManyRequests, answer.StatusCode);
    }

    [Fact]
    public async Task An_expired_key_is_not_counted_as_a_failed_attempt()
    {
        await using var world = await World.StopClockAsync(
            ("Authentication:FailedAttempts", "1"), ("Teams:mapping:ApiKeys:0:ExpiresAt", "2020-01-01"));
        for (var i = 0; i < 5; i++) Assert.Equal(401, (await GetAsync(world, Source, World.MappingKey)).Status);
        Assert.Equal(200, (await GetAsync(world, Source, World.SurveyKey)).Status);
    }

    [Fact]
    public async Task A_client_that_repeats_one_unknown_key_keeps_getting_401()
    {
        await using var world = await World.StopClockAsync(("Authentication:FailedAttempts", "2"));
        for (var i = 0; i < 50; i++) Assert.Equal(401, (await GetAsync(world, Source, "old-key")).Status);
        Assert.Equal(401, (await GetAsync(world, Source, "guess")).Status);
        Assert.Equal(429, (await GetAsync(world, Source, "another guess")).Status);
    }

    [Fact]
    public async Task Several_clients_of_a_source_that_repeat_unknown_keys_keep_getting_401()
    {
        await using var world = await World.StopClockAsync(("Authentication:FailedAttempts", "10"));
        for (var i = 0; i < 100; i++) Assert.Equal(401, (await GetAsync(world, Source, $"old-key-{i % 8}")).Status);
        Assert.Equal(200, (await GetAsync(world, Source, World.MappingKey)).Status);
    }

    [Fact]
    public async Task A_key_created_by_the_gateway_is_accepted_from_a_source_over_the_limit()
    {
        var key = GatewayKey.Create();
        await using var world = await World.StopClockAsync(
            ("Authentication:FailedAttempts", "1"), ("Teams:mapping:ApiKeys:0:Sha256", World.Sha256(key)));
        for (var i = 0; i < 5; i++) await GetAsync(world, Source, $"guess-{i}");
        Assert.Equal(200, (await GetAsync(world, Source, key)).Status);
        Assert.Single(world.Gateway.Log.All, line =>
            line.Contains("Gateway.Callers.FailedAttemptLimiter", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_limit_of_0_allows_any_number_of_attempts()
    {
        await using var world = await World.StopClockAsync(("Authentication:FailedAttempts", "0"));
        for (var i = 0; i < 50; i++) Assert.Equal(401, (await GetAsync(world, Source, $"guess-{i}")).Status);
    }

    private static async Task<(int Status, string? Type, int? RetryAfter)> GetAsync(
        World world, string source, string key)
    {
        using var client = Client(world, source, key);
        using var answer = await client.GetAsync(
            new Uri("v0/workflows/survey-1/jobs/finished-1", UriKind.Relative), World.Cancellation);
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
        return new HttpClient(handler)
        {
            BaseAddress = world.Gateway.Address,
            DefaultRequestHeaders = { { "X-Api-Key", key } }
        };
    }
}

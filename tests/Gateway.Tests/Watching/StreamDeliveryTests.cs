using System.Diagnostics;
using System.Net;
using System.Net.ServerSentEvents;
using System.Text.Json;
using Gateway.Tests.Infrastructure;
using Gateway.Watching;
using Microsoft.Extensions.DependencyInjection;
using Simulator;

namespace Gateway.Tests.Watching;

/// <summary>How events reach callers: through proxies, and callers that do not read.</summary>
public sealed class StreamDeliveryTests
{
    private static readonly string Path = EventReader.PathOf("life");

    [Theory]
    [InlineData("nginx")]
    [InlineData("haproxy")]
    public async Task Events_pass_a_proxy_with_default_settings_when_they_are_sent(string kind)
    {
        await using var world = await World.StartAsync();
        world.Upstream.Lives.Set("life", LifeStage.Queued);
        var gateway = world.Gateway.Address;
        await using var nginx = kind == "nginx"
            ? await NginxProxy.StartAsync(gateway, "", keepsConnections: false) : null;
        await using var haproxy = nginx is null ? await HaproxyProxy.StartAsync(gateway) : null;
        await using var stream = await EventReader.OpenAsync(
            nginx?.Address ?? haproxy!.Address, Path, ("X-Api-Key", World.MappingKey));

        foreach (var stage in (LifeStage[])[LifeStage.Running, LifeStage.Queued, LifeStage.Running])
        {
            var before = await stream.NextAsync("job");
            Assert.NotNull(before.EventId);
            world.Upstream.Lives.Set("life", stage);
        }
        await stream.NextAsync("job");
        world.Upstream.Lives.Set("life", LifeStage.Failed);

        Assert.Equal(["job", "end"], (await stream.RestAsync()).Select(item => item.EventType));
    }

    [Fact]
    public async Task A_caller_that_does_not_read_is_closed_and_delays_nobody()
    {
        await using var world = await World.StartAsync(("Watching:SlowReaderTimeout", "00:00:03"));
        world.Upstream.Lives.Set("life", LifeStage.Running);
        var watched = world.Gateway.Services.GetRequiredService<WatchedJobs>();
        // The simulator's large jobs differ at each fetch.
        const string Large = "run-600.size-900";
        await using var reader = await EventReader.OpenAsync(world.Gateway, EventReader.PathOf(Large));
        await reader.NextAsync("job");
        using var silent = await RawConnection.OpenAsync(world.Gateway.Address, receiveBuffer: 4096);
        await silent.SendAsync($"GET /{EventReader.PathOf(Large)} HTTP/1.1\r\nHost: g\r\n"
            + $"X-Api-Key: {World.MappingKey}\r\n\r\n");
        await Wait.UntilAsync(TimeSpan.FromSeconds(10), () => watched.Watchers == 2, "both streams are open");

        var started = Stopwatch.GetTimestamp();
        for (var i = 0; i < 3; i++) await reader.NextAsync("job");
        Assert.InRange(Stopwatch.GetElapsedTime(started), TimeSpan.Zero, TimeSpan.FromSeconds(15));

        await Wait.UntilAsync(TimeSpan.FromSeconds(30), () => watched.Watchers == 1, "the silent caller is gone");
        await reader.NextAsync("job");
    }

    [Fact]
    public async Task A_caller_that_reads_slowly_gets_only_the_newest_state()
    {
        // With HTTP/2, the caller's window decides how much is sent to it. A job is larger.
        const string Large = "life.size-200";
        await using var world = await World.StartAsync(("Kestrel:EndpointDefaults:Protocols", "Http2"));
        world.Upstream.Lives.Set(Large, LifeStage.Queued);
        using var slow = Http2Client(world.Gateway.Address);
        using var answer = await slow.GetAsync(new Uri(EventReader.PathOf(Large), UriKind.Relative),
            HttpCompletionOption.ResponseHeadersRead, World.Cancellation);
        await using var reader = await EventReader.OpenAsync(
            Http2Client(world.Gateway.Address), EventReader.PathOf(Large));
        await reader.NextAsync("job");
        foreach (var stage in (LifeStage[])[LifeStage.Running, LifeStage.Queued, LifeStage.Running, LifeStage.Failed])
        {
            world.Upstream.Lives.Set(Large, stage);
            await reader.NextAsync("job");
        }
        await reader.NextAsync("end");

        await using var body = await answer.Content.ReadAsStreamAsync(World.Cancellation);
        var events = await SseParser.Create(body).EnumerateAsync(World.Cancellation)
            .ToListAsync(World.Cancellation);

        Assert.Equal(["job", "job", "end"], events.Select(item => item.EventType));
        Assert.Equal(["queued", "failed"], events.Take(2).Select(
            item => JsonElement.Parse(item.Data).GetProperty("status").GetString()));
    }

    [Fact]
    public async Task Stopped_streams_leave_no_watcher_and_the_node_ends_within_two_seconds()
    {
        await using var world = await World.StartAsync();
        world.Upstream.Lives.Set("life", LifeStage.Running);
        await using var process = await GatewayProcess.StartAsync(world.Environment());
        var streams = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ =>
            EventReader.OpenAsync(process.Address, Path, ("X-Api-Key", World.MappingKey))));
        foreach (var stream in streams) await stream.NextAsync("job");

        var started = Stopwatch.GetTimestamp();
        process.Signal("TERM");
        foreach (var stream in streams) Assert.Empty(await stream.RestAsync());

        Assert.InRange(Stopwatch.GetElapsedTime(started), TimeSpan.Zero, TimeSpan.FromSeconds(2) + Promptness.Grace);
        Assert.All(streams, stream => Assert.Equal(HttpStatusCode.OK, stream.Status));
        Assert.True(streams.Select(stream => stream.Retry).Distinct().Count() > 5);
        // Shorter than the time that the streams began with.
        Assert.All(streams, stream => Assert.InRange(stream.Retry.TotalSeconds, 0.05, 1.5));
        foreach (var stream in streams) await stream.DisposeAsync();
    }

    private static HttpClient Http2Client(Uri gateway)
    {
        var client = new HttpClient(new SocketsHttpHandler { InitialHttp2StreamWindowSize = 65_535 })
        {
            BaseAddress = gateway,
            DefaultRequestVersion = HttpVersion.Version20,
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        client.DefaultRequestHeaders.Add("X-Api-Key", World.MappingKey);
        return client;
    }
}

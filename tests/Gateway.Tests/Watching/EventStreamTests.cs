using System.Net;
using System.Text;
using System.Text.Json;
using Gateway.Tests.Infrastructure;
using Gateway.Watching;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Simulator;

namespace Gateway.Tests.Watching;

/// <summary>Event streams of one job and of several jobs, on one node.</summary>
public sealed class EventStreamTests
{
    private static readonly string Path = EventReader.PathOf("life");

    [Fact]
    public async Task A_stream_sends_each_change_once_and_ends_after_the_final_state()
    {
        await using var world = await WorldAsync(LifeStage.Queued);
        await using var stream = await EventReader.OpenAsync(world.Gateway, Path);
        var queued = await stream.NextAsync("job");
        world.Upstream.Lives.Set("life", LifeStage.Running);
        var running = await stream.NextAsync("job");
        world.Upstream.Lives.Set("life", LifeStage.Failed);
        var failed = await stream.NextAsync("job");
        var end = Assert.Single(await stream.RestAsync());

        Assert.Equal(("end", failed.EventId), (end.EventType, end.EventId));
        Assert.Equal(3, new[] { queued, running, failed }.Select(item => item.EventId).Distinct().Count());
        Assert.Equal(Encoding.UTF8.GetString(await world.UpstreamBytesAsync("life")), failed.Data);
        using var known = await world.GetAsync("life");
        Assert.Equal($"\"{failed.EventId}\"", known.Headers.ETag!.ToString());
    }

    [Fact]
    public async Task The_headers_keep_proxies_from_holding_events_back()
    {
        await using var world = await WorldAsync(LifeStage.Running);
        await using var stream = await EventReader.OpenAsync(world.Gateway, Path);
        await stream.NextAsync("job");

        Assert.Equal("text/event-stream", stream.Answer.Content.Headers.ContentType!.ToString());
        Assert.Equal("no", Assert.Single(stream.Answer.Headers.GetValues("X-Accel-Buffering")));
        Assert.True(stream.Answer.Headers.CacheControl is { NoStore: true, NoTransform: true });
        Assert.Empty(stream.Answer.Content.Headers.ContentEncoding);
        Assert.InRange(stream.Retry.TotalSeconds, 0.5, 2.5);
    }

    [Fact]
    public async Task The_headers_are_sent_before_the_upstream_has_answered()
    {
        await using var world = await WorldAsync(LifeStage.Running);
        world.Upstream.Faults.Add(new Fault { Kind = FaultKind.Delay, Delay = TimeSpan.FromSeconds(5) });

        var opening = EventReader.OpenAsync(world.Gateway, Path);
        await using var stream = await opening.WaitAsync(TimeSpan.FromSeconds(3), World.Cancellation);

        Assert.Equal(HttpStatusCode.OK, stream.Status);
        await stream.NextAsync("job");
    }

    [Fact]
    public async Task A_client_that_connects_again_gets_only_what_it_does_not_have_and_204_after_the_end()
    {
        await using var world = await WorldAsync(LifeStage.Running);
        string id;
        await using (var stream = await EventReader.OpenAsync(world.Gateway, Path))
        {
            id = (await stream.NextAsync()).EventId!;
        }
        await using var again = await EventReader.OpenAsync(world.Gateway, Path, id);
        await again.AssertSilentAsync(TimeSpan.FromSeconds(3));
        world.Upstream.Lives.Set("life", LifeStage.Failed);
        var failed = await again.NextAsync("job");
        await again.NextAsync("end");

        await using var over = await EventReader.OpenAsync(world.Gateway, Path, failed.EventId);
        await using var late = await EventReader.OpenAsync(world.Gateway, Path, id);

        Assert.Equal(HttpStatusCode.NoContent, over.Status);
        Assert.Equal(failed.Data, (await late.NextAsync("job")).Data);
        await late.NextAsync("end");
    }

    [Fact]
    public async Task A_stream_says_once_that_the_upstream_fails_and_once_that_it_answers_again()
    {
        await using var world = await WorldAsync(LifeStage.Running);
        await using var stream = await EventReader.OpenAsync(world.Gateway, Path);
        var running = await stream.NextAsync("job");
        // The upstream fails in one way, and then in another.
        world.Upstream.Faults.Add(new Fault { Kind = FaultKind.Status, Status = 500, Times = 3 });
        world.Upstream.Faults.Add(new Fault { Kind = FaultKind.Status, Status = 503 });

        var problem = JsonElement.Parse((await stream.NextAsync("problem")).Data);
        world.Upstream.Ledger.Clear();
        await Wait.UntilAsync(
            TimeSpan.FromSeconds(30), () => world.Upstream.Ledger.Total > 3, "the upstream has failed again");
        await stream.AssertSilentAsync(TimeSpan.FromSeconds(3));
        world.Upstream.Faults.Clear();
        await stream.NextAsync("recovered");
        world.Upstream.Lives.Set("life", LifeStage.Failed);
        var failed = await stream.NextAsync("job");

        Assert.True(problem.GetProperty("retryable").GetBoolean());
        Assert.Equal("/problems/upstream-failed", problem.GetProperty("type").GetString());
        Assert.NotEqual(running.EventId, failed.EventId);
    }

    [Fact]
    public async Task A_stream_says_that_the_upstream_answers_again_only_after_an_answer_that_can_be_used()
    {
        await using var world = await WorldAsync(LifeStage.Running);
        await using var stream = await EventReader.OpenAsync(world.Gateway, Path);
        await stream.NextAsync("job");
        // The last state is not served instead of an answer that is no job.
        world.Upstream.Faults.Add(new Fault { Kind = FaultKind.Html, Status = 200 });

        await stream.NextAsync("problem");
        await stream.AssertSilentAsync(TimeSpan.FromSeconds(10));
        world.Upstream.Faults.Clear();

        await stream.NextAsync("recovered");
    }

    [Fact]
    public async Task A_job_that_the_upstream_does_not_have_is_answered_as_a_problem()
    {
        await using var world = await WorldAsync(LifeStage.Running);
        await using var absent = await EventReader.OpenAsync(world.Gateway, EventReader.PathOf("missing"));
        await using var stream = await EventReader.OpenAsync(world.Gateway, Path);
        await stream.NextAsync("job");
        world.Upstream.Lives.Set("life", LifeStage.Gone);

        var problem = JsonElement.Parse((await stream.NextAsync("problem")).Data);
        Assert.Empty(await stream.RestAsync());

        Assert.Equal(HttpStatusCode.NotFound, absent.Status);
        Assert.False(problem.GetProperty("retryable").GetBoolean());
        Assert.Equal(404, problem.GetProperty("status").GetInt32());
    }

    [Theory]
    [InlineData("?view=summary", null)]
    [InlineData("", "return=minimal")]
    public async Task A_stream_of_summaries_sends_status_progress_times_and_tasks(string query, string? prefer)
    {
        await using var world = await WorldAsync(LifeStage.Running);
        await using var stream = await EventReader.OpenAsync(world.Gateway.Address, Path + query,
            [("X-Api-Key", World.MappingKey), .. prefer is null ? [] : new[] { ("Prefer", prefer) }]);

        var item = await stream.NextAsync("job");

        var summary = JsonElement.Parse(item.Data);
        Assert.Equal("life", summary.GetProperty("id").GetString());
        Assert.Equal("running", summary.GetProperty("status").GetString());
        Assert.NotEmpty(summary.GetProperty("tasks").EnumerateArray());
        Assert.False(summary.TryGetProperty("spec", out _));
        using var known = await world.GetAsync("life");
        Assert.NotEqual(known.Headers.ETag!.ToString(), $"\"{item.EventId}\"");
        Assert.Equal(prefer is null ? [] : ["return=minimal"],
            stream.Answer.Headers.TryGetValues("Preference-Applied", out var applied) ? applied : []);
    }

    [Fact]
    public async Task A_stream_of_several_jobs_names_the_job_of_each_event_and_ends_after_the_last_one()
    {
        await using var world = await WorldAsync(LifeStage.Running);
        const string Jobs = "v0/events?job=survey-1/life&job=survey-2/finished-1&job=survey-1/missing";
        await using var stream = await EventReader.OpenAsync(world.Gateway, Jobs);
        var first = new[] { await stream.NextAsync(), await stream.NextAsync(), await stream.NextAsync() };
        world.Upstream.Lives.Set("life", LifeStage.Failed);
        var failed = await stream.NextAsync("job");
        var end = Assert.Single(await stream.RestAsync());

        Assert.Equal(
            ["survey-1/life job", "survey-1/missing problem", "survey-2/finished-1 job"],
            first.Select(item => $"{NameOf(item.Data)} {item.EventType}").Order());
        Assert.Equal("survey-1/life", NameOf(failed.Data));
        var data = JsonElement.Parse(failed.Data);
        Assert.Equal(Encoding.UTF8.GetString(await world.UpstreamBytesAsync("life")),
            data.GetProperty("job").GetRawText());
        Assert.Equal("end", end.EventType);
        await using var over = await EventReader.OpenAsync(world.Gateway, Jobs, end.EventId);
        Assert.Equal(HttpStatusCode.NoContent, over.Status);
        await using var behind = await EventReader.OpenAsync(world.Gateway, Jobs, $"--------{end.EventId![8..]}");
        Assert.Equal("survey-1/life", NameOf((await behind.NextAsync("job")).Data));
        var rest = await behind.RestAsync();
        Assert.Equal(["problem", "end"], rest.Select(item => item.EventType));
    }

    [Fact]
    public async Task A_job_that_the_upstream_refuses_ends_its_own_watch_in_a_stream_of_several_jobs()
    {
        await using var world = await WorldAsync(LifeStage.Running);
        await using var stream = await EventReader.OpenAsync(
            world.Gateway, "v0/events?job=survey-1/life&job=survey-1/forbidden");
        var first = new[] { await stream.NextAsync(), await stream.NextAsync() };
        world.Upstream.Lives.Set("life", LifeStage.Failed);
        var rest = await stream.RestAsync();

        var problem = JsonElement.Parse(Assert.Single(first, item => item.EventType == "problem").Data);
        Assert.Equal((403, false),
            (problem.GetProperty("status").GetInt32(), problem.GetProperty("retryable").GetBoolean()));
        Assert.Equal("forbidden", problem.GetProperty("job_id").GetString());
        Assert.Equal(["job", "end"], rest.Select(item => item.EventType));
    }

    [Theory]
    [InlineData("v0/events")]
    [InlineData("v0/events?job=survey-1")]
    [InlineData("v0/events?job=survey-1/..")]
    [InlineData("v0/events?job=a/b/c")]
    [InlineData("v0/jobs?job=")]
    [InlineData("v0/jobs?job=survey-1/life&job=%2F")]
    public async Task A_malformed_list_of_jobs_is_a_problem(string path)
    {
        await using var world = await WorldAsync(LifeStage.Running);
        await using var stream = await EventReader.OpenAsync(world.Gateway, path);

        Assert.Equal(HttpStatusCode.BadRequest, stream.Status);
        Assert.Equal("/problems/invalid-jobs", JsonElement.Parse(
            await stream.Answer.Content.ReadAsStringAsync(World.Cancellation)).GetProperty("type").GetString());
    }

    [Theory]
    [InlineData("v0/events")]
    [InlineData("v0/jobs")]
    public async Task More_than_100_jobs_are_a_problem(string path)
    {
        await using var world = await WorldAsync(LifeStage.Running);
        var jobs = string.Join('&', Enumerable.Range(0, 101).Select(i => $"job=survey-1/life-{i}"));
        await using var stream = await EventReader.OpenAsync(world.Gateway, $"{path}?{jobs}");

        Assert.Equal(HttpStatusCode.BadRequest, stream.Status);
        Assert.Equal(0, world.Upstream.Ledger.Total);
    }

    [Fact]
    public async Task A_workflow_that_the_team_may_not_read_refuses_the_stream()
    {
        await using var world = await WorldAsync(LifeStage.Running);
        var headers = ("X-Api-Key", World.SurveyKey);
        await using var one = await EventReader.OpenAsync(
            world.Gateway.Address, EventReader.PathOf("life", "harbour"), headers);
        await using var many = await EventReader.OpenAsync(
            world.Gateway.Address, "v0/events?job=survey-1/life&job=harbour/life", headers);

        Assert.Equal((HttpStatusCode.Forbidden, HttpStatusCode.Forbidden), (one.Status, many.Status));
        Assert.Equal(0, world.Upstream.Ledger.Total);
    }

    [Fact]
    public async Task A_node_that_stops_ends_its_streams_and_spreads_the_reconnects()
    {
        await using var world = await WorldAsync(LifeStage.Running);
        await using var stream = await EventReader.OpenAsync(world.Gateway, Path);
        var running = await stream.NextAsync("job");

        world.Gateway.Services.GetRequiredService<IHostApplicationLifetime>().StopApplication();

        Assert.Empty(await stream.RestAsync());
        Assert.InRange(stream.Retry.TotalSeconds, 0.05, 1.5);
        Assert.NotNull(running.EventId);
    }

    [Fact]
    public async Task A_job_whose_last_stream_has_closed_is_not_polled()
    {
        await using var world = await WorldAsync(LifeStage.Running);
        var watched = world.Gateway.Services.GetRequiredService<WatchedJobs>();
        await using (var stream = await EventReader.OpenAsync(world.Gateway, Path)) await stream.NextAsync("job");
        await Wait.UntilAsync(
            TimeSpan.FromSeconds(10), () => (watched.Watchers, watched.Count) == (0, 0), "nobody watches");
        await Task.Delay(TimeSpan.FromSeconds(1), World.Cancellation);
        world.Upstream.Ledger.Clear();

        await Task.Delay(TimeSpan.FromSeconds(6), World.Cancellation);

        Assert.Equal(0, world.Upstream.Ledger.Total);
    }

    [Fact]
    public async Task A_silent_stream_gets_a_comment_every_15_seconds()
    {
        await using var world = await World.StopClockAsync();
        world.Upstream.Lives.Set("quiet", LifeStage.Running);
        using var connection = await RawConnection.OpenAsync(world.Gateway.Address);
        await connection.SendAsync(
            $"GET /{EventReader.PathOf("quiet")} HTTP/1.1\r\nHost: g\r\nX-Api-Key: {World.MappingKey}\r\n\r\n");
        await connection.ReadUntilAsync("event: job");
        var heard = connection.ReadUntilAsync("\n: \n");

        var started = world.Clock!.GetTimestamp();
        while (!heard.IsCompleted && world.Clock.GetElapsedTime(started) < TimeSpan.FromMinutes(5))
        {
            world.Clock.Advance(TimeSpan.FromMilliseconds(500));
            await Task.Delay(20, World.Cancellation);
        }

        await heard.WaitAsync(TimeSpan.FromSeconds(1), World.Cancellation);
        Assert.InRange(world.Clock.GetElapsedTime(started).TotalSeconds, 15, 30);
    }

    [Fact]
    public async Task A_hundred_streams_share_one_HTTP_2_connection()
    {
        const int Streams = 100;
        await using var world = await WorldAsync(
            LifeStage.Running, ("Kestrel:EndpointDefaults:Protocols", "Http2"));
        using var handler = new SocketsHttpHandler { EnableMultipleHttp2Connections = false };
        using var client = new HttpClient(handler)
        {
            BaseAddress = world.Gateway.Address,
            DefaultRequestVersion = HttpVersion.Version20,
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        client.DefaultRequestHeaders.Add("X-Api-Key", World.MappingKey);

        var reading = Enumerable.Range(0, Streams)
            .Select(_ => client.GetStringAsync(new Uri(Path, UriKind.Relative), World.Cancellation)).ToArray();
        var watched = world.Gateway.Services.GetRequiredService<WatchedJobs>();
        await Wait.UntilAsync(TimeSpan.FromSeconds(20), () => watched.Watchers == Streams, "all streams are open");
        world.Upstream.Lives.Set("life", LifeStage.Failed);
        var texts = await Task.WhenAll(reading).WaitAsync(TimeSpan.FromSeconds(30), World.Cancellation);

        Assert.All(texts, text => Assert.Contains("event: end", text, StringComparison.Ordinal));
        Assert.InRange(world.Upstream.Ledger.Total, 1, 12);
    }

    private static string NameOf(string data)
    {
        var json = JsonElement.Parse(data);
        return $"{json.GetProperty("workflow_id").GetString()}/{json.GetProperty("job_id").GetString()}";
    }

    private static async Task<World> WorldAsync(LifeStage stage, params (string Key, string? Value)[] settings)
    {
        var world = await World.StartAsync(settings);
        world.Upstream.Lives.Set("life", stage);
        return world;
    }
}

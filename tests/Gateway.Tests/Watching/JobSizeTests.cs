using System.Net;
using System.Text.Json;
using Gateway.Tests.Infrastructure;
using Simulator;

namespace Gateway.Tests.Watching;

/// <summary>Jobs that are too large for streams and batches, and changes that are outside of a summary.</summary>
public sealed class JobSizeTests
{
    // More than a megabyte.
    private const string Large = "finished-1.size-1100";

    [Fact]
    public async Task A_stream_of_a_job_that_is_too_large_is_a_problem_and_its_summary_is_sent()
    {
        await using var world = await World.StartAsync();
        world.Upstream.Faults.Add(new Fault { Kind = FaultKind.Delay, Delay = TimeSpan.FromSeconds(2), Times = 1 });
        var path = EventReader.PathOf(Large);
        await using var stream = await EventReader.OpenAsync(world.Gateway, path);
        var events = await stream.RestAsync();
        await using var again = await EventReader.OpenAsync(world.Gateway, path);
        await using var summary = await EventReader.OpenAsync(world.Gateway, path + "?view=summary");

        var problem = Assert.Single(events);
        Assert.Equal((HttpStatusCode.OK, "problem"), (stream.Status, problem.EventType));
        AssertTooLarge(JsonElement.Parse(problem.Data));
        Assert.False(JsonElement.Parse(problem.Data).GetProperty("retryable").GetBoolean());
        // The gateway has the job in memory now, and need not begin the stream.
        Assert.Equal(HttpStatusCode.BadRequest, again.Status);
        AssertTooLarge(JsonElement.Parse(await again.Answer.Content.ReadAsStringAsync(World.Cancellation)));
        await summary.NextAsync("job");
        await summary.NextAsync("end");
    }

    [Fact]
    public async Task A_stream_of_several_jobs_goes_on_without_a_job_that_is_too_large()
    {
        await using var world = await World.StartAsync();
        world.Upstream.Lives.Set("life", LifeStage.Running);
        await using var stream = await EventReader.OpenAsync(
            world.Gateway, $"v0/events?job=survey-1/{Large}&job=survey-1/life");
        var first = new[] { await stream.NextAsync(), await stream.NextAsync() };
        world.Upstream.Lives.Set("life", LifeStage.Failed);
        await stream.NextAsync("job");
        await stream.NextAsync("end");

        var problem = JsonElement.Parse(Assert.Single(first, item => item.EventType == "problem").Data);
        AssertTooLarge(problem);
        Assert.Equal(("survey-1", Large),
            (problem.GetProperty("workflow_id").GetString(), problem.GetProperty("job_id").GetString()));
    }

    [Fact]
    public async Task A_batch_has_a_problem_for_a_job_that_is_too_large_and_its_summary()
    {
        await using var world = await World.StartAsync();
        using var client = world.Gateway.Client(("X-Api-Key", World.MappingKey));
        var path = $"v0/jobs?job=survey-1/{Large}&job=survey-1/finished-2";

        var whole = JsonElement.Parse(await client.GetStringAsync(path, World.Cancellation)).GetProperty("jobs");
        var summaries = JsonElement.Parse(await client.GetStringAsync(path + "&view=summary", World.Cancellation));

        Assert.Equal([400, 200], whole.EnumerateArray().Select(job => job.GetProperty("status").GetInt32()));
        AssertTooLarge(whole[0].GetProperty("problem"));
        Assert.All(summaries.GetProperty("jobs").EnumerateArray(),
            job => Assert.Equal("completed", job.GetProperty("job").GetProperty("status").GetString()));
    }

    [Fact]
    public async Task A_change_that_a_summary_does_not_show_is_no_event()
    {
        // From 10 to 20 minutes after the first request, only the times of the last update change.
        const string Stuck = "stuck-600";
        await using var world = await World.StopClockAsync();
        using var known = await world.GetAsync(Stuck);
        world.Clock!.Advance(TimeSpan.FromSeconds(610));
        await using var whole = await EventReader.OpenAsync(world.Gateway, EventReader.PathOf(Stuck));
        await using var summary = await EventReader.OpenAsync(
            world.Gateway, EventReader.PathOf(Stuck) + "?view=summary");
        await whole.NextAsync("job");
        await summary.NextAsync("job");

        for (var i = 0; i < 3; i++)
        {
            await LongPollTests.AdvanceAsync(world, TimeSpan.FromSeconds(10));
            await whole.NextAsync("job");
        }

        await summary.AssertSilentAsync(TimeSpan.FromMilliseconds(500));
    }

    private static void AssertTooLarge(JsonElement problem) => Assert.Equal(
        ("/problems/job-too-large", 400),
        (problem.GetProperty("type").GetString(), problem.GetProperty("status").GetInt32()));
}

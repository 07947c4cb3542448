using System.Net;
using Gateway.Tests.Infrastructure;
using Gateway.Watching;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Simulator;

namespace Gateway.Tests.Watching;

/// <summary>Requests with <c>Prefer: wait=N</c>.</summary>
public sealed class LongPollTests
{
    private const string Job = "life";

    // The clock of the test runs ahead of a busy machine, so that a minute may be over before a poll has ended.
    private static readonly (string, string?) LongWait = ("Watching:MaxWait", "00:10:00");

    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(20);

    [Theory]
    [InlineData("5", "5")]
    [InlineData("3600", "60")]
    public async Task An_unchanged_job_is_304_at_the_end_of_the_wait(string wait, string applied)
    {
        await using var world = await WorldAsync();
        world.Upstream.Lives.Set(Job, LifeStage.Running);
        var etag = await ETagAsync(world);
        world.Upstream.Ledger.Clear();

        using var answer = await AdvanceUntilAsync(world, PollAsync(world, wait, etag));

        Assert.Equal(HttpStatusCode.NotModified, answer.StatusCode);
        Assert.Equal($"wait={applied}", Assert.Single(answer.Headers.GetValues("Preference-Applied")));
        // One poll every two and a half seconds, and perhaps one for the answer.
        Assert.InRange(world.Upstream.Ledger.Total, 1, int.Parse(applied, null) * 2 / 5 + 2);
    }

    [Fact]
    public async Task A_changed_job_is_answered_as_soon_as_a_poll_has_seen_it()
    {
        await using var world = await WorldAsync(LongWait);
        world.Upstream.Lives.Set(Job, LifeStage.Queued);
        var etag = await ETagAsync(world);
        var started = world.Clock!.GetTimestamp();
        var polling = PollAsync(world, "600", etag);
        await AdvanceAsync(world, TimeSpan.FromSeconds(10));
        Assert.False(polling.IsCompleted);
        world.Upstream.Lives.Set(Job, LifeStage.Running);

        using var answer = await AdvanceUntilAsync(world, polling);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.NotEqual(etag, answer.Headers.ETag!.ToString());
        Assert.InRange(world.Clock.GetElapsedTime(started), TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(60));
    }

    [Fact]
    public async Task A_job_that_the_caller_does_not_have_is_answered_at_once()
    {
        await using var world = await WorldAsync();
        world.Upstream.Lives.Set(Job, LifeStage.Running);

        using var answer = await PollAsync(world, "60", "\"other\"").WaitAsync(Bound, World.Cancellation);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    [Theory]
    [InlineData("Completed")]
    [InlineData("Failed")]
    public async Task Without_a_validator_the_answer_comes_when_the_job_is_final(string final)
    {
        await using var world = await WorldAsync(LongWait);
        world.Upstream.Lives.Set(Job, LifeStage.Running);
        var polling = PollAsync(world, "600");
        await AdvanceAsync(world, TimeSpan.FromSeconds(10));
        Assert.False(polling.IsCompleted);
        world.Upstream.Lives.Set(Job, Enum.Parse<LifeStage>(final));

        using var answer = await AdvanceUntilAsync(world, polling);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Contains(final, await answer.Content.ReadAsStringAsync(World.Cancellation),
            StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task Without_a_validator_a_running_job_is_200_at_the_end_of_the_wait()
    {
        await using var world = await WorldAsync();
        world.Upstream.Lives.Set(Job, LifeStage.Running);

        using var answer = await AdvanceUntilAsync(world, PollAsync(world, "7"));

        Assert.Equal((HttpStatusCode.OK, "wait=7"),
            (answer.StatusCode, Assert.Single(answer.Headers.GetValues("Preference-Applied"))));
    }

    [Fact]
    public async Task A_finished_job_and_an_absent_job_and_a_failure_are_answered_at_once()
    {
        await using var world = await WorldAsync();
        world.Upstream.Faults.Add(new Fault { Job = "broken", Kind = FaultKind.Status, Status = 500 });

        using var finished = await world.GetAsync("finished-1", headers: ("Prefer", "wait=60"))
            .WaitAsync(Bound, World.Cancellation);
        using var known = await world.GetAsync(
            "finished-1", headers: [("Prefer", "wait=60"), ("If-None-Match", finished.Headers.ETag!.ToString())])
            .WaitAsync(Bound, World.Cancellation);
        using var absent = await world.GetAsync("missing", headers: ("Prefer", "wait=60"))
            .WaitAsync(Bound, World.Cancellation);
        using var broken = await AdvanceUntilAsync(world, world.GetAsync("broken", headers: ("Prefer", "wait=60")));

        Assert.Equal(
            [HttpStatusCode.OK, HttpStatusCode.NotModified, HttpStatusCode.NotFound, HttpStatusCode.BadGateway],
            new[] { finished, known, absent, broken }.Select(answer => answer.StatusCode));
    }

    [Fact]
    public async Task A_caller_waits_on_while_the_upstream_fails()
    {
        await using var world = await WorldAsync(LongWait);
        world.Upstream.Lives.Set(Job, LifeStage.Running);
        var etag = await ETagAsync(world);
        var polling = PollAsync(world, "600", etag);
        world.Upstream.Faults.Add(new Fault { Kind = FaultKind.Status, Status = 500 });
        await AdvanceAsync(world, TimeSpan.FromSeconds(20));
        Assert.False(polling.IsCompleted);
        world.Upstream.Faults.Clear();
        world.Upstream.Lives.Set(Job, LifeStage.Failed);

        using var answer = await AdvanceUntilAsync(world, polling);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    [Theory]
    [InlineData("Watching:MaxWatchers")]
    [InlineData("Watching:MaxWatchersPerTeam")]
    public async Task A_caller_without_room_to_wait_is_answered_at_once(string limit)
    {
        await using var world = await WorldAsync((limit, "0"));
        world.Upstream.Lives.Set(Job, LifeStage.Running);

        using var answer = await PollAsync(world, "60").WaitAsync(Bound, World.Cancellation);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.False(answer.Headers.Contains("Preference-Applied"));
    }

    [Fact]
    public async Task A_job_whose_last_waiting_caller_has_left_is_not_polled()
    {
        await using var world = await WorldAsync();
        world.Upstream.Lives.Set(Job, LifeStage.Running);
        var watched = world.Gateway.Services.GetRequiredService<WatchedJobs>();
        using (var client = world.Gateway.Client(("X-Api-Key", World.MappingKey), ("Prefer", "wait=60")))
        {
            using var leaving = new CancellationTokenSource();
            var polling = client.GetAsync(
                new Uri($"v0/workflows/survey-1/jobs/{Job}", UriKind.Relative), leaving.Token);
            await Wait.UntilAsync(Bound, () => watched.Watchers == 1, "the caller waits");
            await leaving.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => polling);
        }
        await Wait.UntilAsync(Bound, () => (watched.Watchers, watched.Count) == (0, 0), "nobody watches");
        await AdvanceAsync(world, TimeSpan.FromSeconds(4));
        world.Upstream.Ledger.Clear();

        await AdvanceAsync(world, TimeSpan.FromMinutes(1));

        Assert.Equal(0, world.Upstream.Ledger.Total);
    }

    [Fact]
    public async Task A_node_that_stops_answers_waiting_callers_at_once()
    {
        await using var world = await WorldAsync();
        world.Upstream.Lives.Set(Job, LifeStage.Running);
        var watched = world.Gateway.Services.GetRequiredService<WatchedJobs>();
        var polling = PollAsync(world, "60");
        await Wait.UntilAsync(Bound, () => watched.Watchers == 1, "the caller waits");

        world.Gateway.Services.GetRequiredService<IHostApplicationLifetime>().StopApplication();

        using var answer = await polling.WaitAsync(Bound, World.Cancellation);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    [Fact]
    public async Task Five_hundred_waiting_callers_cost_the_upstream_as_much_as_one_and_no_thread_each()
    {
        const int Callers = 500;
        await using var world = await WorldAsync(LongWait);
        world.Upstream.Lives.Set(Job, LifeStage.Running);
        var etag = await ETagAsync(world);
        var watched = world.Gateway.Services.GetRequiredService<WatchedJobs>();
        using var client = world.Gateway.Client(
            ("X-Api-Key", World.MappingKey), ("Prefer", "wait=600"), ("If-None-Match", etag));
        var polling = Enumerable.Range(0, Callers).Select(_ => client.GetAsync(
            new Uri($"v0/workflows/survey-1/jobs/{Job}", UriKind.Relative), World.Cancellation)).ToArray();
        await Wait.UntilAsync(TimeSpan.FromMinutes(1), () => watched.Watchers == Callers, "all callers wait");
        world.Upstream.Ledger.Clear();

        await AdvanceAsync(world, TimeSpan.FromSeconds(20));
        var threads = ThreadPool.ThreadCount;
        world.Upstream.Lives.Set(Job, LifeStage.Failed);
        var answers = await AdvanceUntilAsync(world, Task.WhenAll(polling));

        Assert.All(answers, answer => Assert.Equal(HttpStatusCode.OK, answer.StatusCode));
        Assert.InRange(world.Upstream.Ledger.Total, 1, 20);
        Assert.InRange(threads, 1, Callers / 5);
        foreach (var answer in answers) answer.Dispose();
    }

    private static Task<World> WorldAsync(params (string Key, string? Value)[] settings) =>
        World.StopClockAsync([("Jobs:SettleTime", "00:00:00"), .. settings]);

    private static async Task<string> ETagAsync(World world)
    {
        using var answer = await world.GetAsync(Job);
        return answer.Headers.ETag!.ToString();
    }

    private static Task<HttpResponseMessage> PollAsync(World world, string seconds, string? etag = null) =>
        world.GetAsync(Job, headers: etag is null
            ? [("Prefer", $"wait={seconds}")] : [("Prefer", $"wait={seconds}"), ("If-None-Match", etag)]);

    /// <summary>Moves the clock in small steps, so that polls run in between.</summary>
    internal static async Task AdvanceAsync(World world, TimeSpan time)
    {
        var step = TimeSpan.FromMilliseconds(500);
        for (var moved = TimeSpan.Zero; moved < time; moved += step)
        {
            world.Clock!.Advance(step);
            await Task.Delay(20, World.Cancellation);
        }
    }

    internal static async Task<T> AdvanceUntilAsync<T>(World world, Task<T> task)
    {
        await Wait.UntilAsync(TimeSpan.FromMinutes(1), () =>
        {
            if (!task.IsCompleted) world.Clock!.Advance(TimeSpan.FromMilliseconds(250));
            return task.IsCompleted;
        }, "the caller is answered");
        return await task;
    }
}

using System.Globalization;
using System.Net;
using System.Text;
using CsCheck;
using Gateway.Caching;
using Gateway.Jobs;
using Gateway.Runtime;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.RequestPath;
using Microsoft.Extensions.Configuration;
using Simulator;

namespace Gateway.Tests.Caching;

public sealed class PacingTests
{
    private static readonly DateTimeOffset Now = new(2026, 5, 4, 12, 0, 0, TimeSpan.Zero);

    [Theory]
    // Columns: usual, estimated, elapsed and progress. Here nothing is known, or only the age.
    [InlineData(null, null, null, null, 0)]
    [InlineData(null, null, 100.0, null, 10)]
    // A third of the remaining time, by the usual duration if it is known, otherwise by the estimate.
    [InlineData(null, 400.0, 100.0, null, 100)]
    [InlineData(700.0, 400.0, 100.0, null, 200)]
    // The job is overdue: a tenth of its duration.
    [InlineData(null, 400.0, 600.0, null, 20)]
    [InlineData(700.0, 400.0, 1000.0, null, 30)]
    // By the job's own progress, if nothing else is known or the job is overdue.
    [InlineData(null, null, 100.0, 0.25, 100)]
    [InlineData(null, 100.0, 300.0, 0.5, 100)]
    // By both: 300 s remain by the estimate, 100 s by the progress.
    [InlineData(null, 400.0, 100.0, 0.5, 66.667)]
    // Progress near zero is ignored, and 100 does not mean finished.
    [InlineData(null, 400.0, 100.0, 0.01, 100)]
    [InlineData(null, 400.0, 600.0, 1.0, 20)]
    public void The_poll_interval_follows_from_the_known_times_and_progress(
        double? usual, double? estimated, double? elapsed, double? progress, double seconds)
    {
        var job = new JobTimes(elapsed is null ? null : Now.AddSeconds(-elapsed.Value), null,
            Span(estimated), progress);

        Assert.Equal(seconds, Pacing.Interval(job, Span(usual), Now).TotalSeconds, 0.01);
    }

    [Fact]
    public void The_poll_interval_is_never_negative_and_always_bounded() =>
        Gen.Select(Gen.Double[-1e6, 1e6].Nullable(), Gen.Double[1e-3, 1e7].Nullable(), Gen.Double[1e-3, 1e7]
            .Nullable(), Gen.Double[0, 1].Nullable())
            .Sample((elapsed, usual, estimated, progress) =>
            {
                var job = new JobTimes(elapsed is null ? null : Now.AddSeconds(-elapsed.Value), null,
                    Span(estimated), progress);
                return Pacing.Interval(job, Span(usual), Now) is var interval && interval >= TimeSpan.Zero
                    && interval < TimeSpan.FromSeconds(1e7);
            });

    [Fact]
    public async Task A_running_job_and_its_304_have_Retry_After_and_no_cache()
    {
        await using var world = await World.StopClockAsync();
        using var first = await world.GetAsync("run-300");
        world.Clock!.Advance(TimeSpan.FromSeconds(1));
        using var second = await world.GetAsync("run-300");
        using var unchanged = await world.GetAsync(
            "run-300", headers: ("If-None-Match", second.Headers.ETag!.ToString()));

        Assert.Equal([HttpStatusCode.OK, HttpStatusCode.OK, HttpStatusCode.NotModified],
            [first.StatusCode, second.StatusCode, unchanged.StatusCode]);
        foreach (var answer in (HttpResponseMessage[])[first, second, unchanged])
        {
            var wait = Assert.NotNull(answer.Headers.RetryAfter?.Delta);
            Assert.InRange(wait.TotalSeconds, 2, 30);
            Assert.Equal("no-cache, private", answer.Headers.CacheControl!.ToString());
        }
    }

    [Theory]
    [InlineData("finished-1")]
    [InlineData("fail-0")]
    [InlineData("missing")]
    public async Task A_job_that_is_not_running_has_no_Retry_After(string job)
    {
        await using var world = await World.StartAsync();
        using var answer = await world.GetAsync(job);

        Assert.Null(answer.Headers.RetryAfter);
    }

    [Theory]
    [InlineData(540, "00:00:01", "00:01:00", 0, 54, 60)]
    [InlineData(540, "00:00:01", "01:00:00", 0, 160, 200)]
    [InlineData(540, "00:00:05", "00:01:00", 539, 5, 5)]
    [InlineData(540, "00:00:07", "00:00:07", 0, 7, 7)]
    public async Task Retry_After_follows_the_estimate_within_the_configured_bounds(
        int estimate, string least, string most, int elapsed, int from, int to)
    {
        await using var world = await World.StopClockAsync(
            ("Jobs:MinPollInterval", least), ("Jobs:MaxPollInterval", most));
        world.Upstream.Faults.Add(
            new Fault { Kind = FaultKind.Status, Status = 200, Body = Running(world, "job", elapsed, estimate) });

        for (var i = 0; i < 20; i++)
        {
            using var answer = await world.GetAsync("job");
            Assert.InRange(answer.Headers.RetryAfter!.Delta!.Value.TotalSeconds, from, to);
        }
    }

    [Fact]
    public async Task Callers_who_poll_together_get_different_waits()
    {
        await using var world = await World.StopClockAsync(("Jobs:MaxPollInterval", "01:00:00"));
        world.Upstream.Faults.Add(
            new Fault { Kind = FaultKind.Status, Status = 200, Body = Running(world, "job", 0, 3000) });
        var waits = new HashSet<double>();
        for (var i = 0; i < 30; i++)
        {
            using var answer = await world.GetAsync("job");
            waits.Add(answer.Headers.RetryAfter!.Delta!.Value.TotalSeconds);
        }
        Assert.InRange(waits.Count, 5, 30);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_duration_of_earlier_jobs_outweighs_the_estimate(bool byAnotherNode)
    {
        await using var world = await World.StopClockAsync(("Jobs:MaxPollInterval", "01:00:00"));
        var node = byAnotherNode ? world.AddGateway() : world.Gateway;
        // Each of these jobs took nine minutes.
        foreach (var job in (string[])["finished-1", "finished-2", "finished-3"])
            Assert.Equal(HttpStatusCode.OK, (await world.GetAsync(job)).StatusCode);
        world.Upstream.Faults.Add(
            new Fault { Kind = FaultKind.Status, Status = 200, Body = Running(world, "job", 1, 30) });

        using var answer = await World.GetAsync(node, "job");

        // Without Redis a node does not learn durations from another node.
        Assert.InRange(answer.Headers.RetryAfter!.Delta!.Value.TotalSeconds, byAnotherNode ? 8
            : 160, byAnotherNode ? 11 : 200);
    }

    [Fact]
    public void The_median_of_three_or_more_jobs_of_one_workflow_and_account_counts()
    {
        using var pacing = New();
        // The job's own estimate is 30 s; the wait is a third of it.
        AssertNextPoll(pacing, 10);
        foreach (var _ in (int[])[1, 2, 3]) Observe(pacing, "once", 300);
        Observe(pacing, "second", 600);
        AssertNextPoll(pacing, 10);
        Observe(pacing, "third", 9000);
        AssertNextPoll(pacing, 200);
        AssertNextPoll(pacing, 10, account: "another");
        AssertNextPoll(pacing, 10, workflow: "another");
    }

    [Fact]
    public void Only_the_last_sixteen_jobs_count_for_the_median()
    {
        using var pacing = New();
        for (var i = 0; i < 16; i++) Observe(pacing, $"slow-{i}", 6000);
        AssertNextPoll(pacing, 2000);
        for (var i = 0; i < 9; i++) Observe(pacing, $"fast-{i}", 600);
        AssertNextPoll(pacing, 200);
    }

    [Fact]
    public void Retry_After_is_not_shorter_than_the_snapshots_freshness()
    {
        using var pacing = New();
        Assert.Equal(
            45, pacing.NextPoll(Key("job"), Snapshot(VerdictKind.Running, estimate: 30, fresh: 45), Now).TotalSeconds);
    }

    [Theory]
    [InlineData(90, 0, 90)]
    [InlineData(90, 80.5, 10)]
    [InlineData(1, 0, 2)]
    public void Retry_After_is_not_shorter_than_the_upstreams_own(double askAgain, double passed, double expected)
    {
        using var pacing = New("00:00:30");
        var snapshot = JobSnapshot.From(
            "{}"u8.ToArray(), new Verdict(VerdictKind.Running, TimeSpan.Zero, AskAgainAt: Now.AddSeconds(askAgain)),
            order: 1, Now);
        Assert.Equal(expected, pacing.NextPoll(Key("job"), snapshot, Now.AddSeconds(passed)).TotalSeconds);
    }

    [Fact]
    public void A_fractional_maximum_wait_is_rounded_down()
    {
        using var pacing = New("00:00:07.5");
        Assert.Equal(7, pacing.NextPoll(Key("job"), Snapshot(VerdictKind.Running, estimate: 3000), Now).TotalSeconds);
    }

    [Theory]
    // Seconds of freshness at first, elapsed seconds (negative: the clock was set back), and the reported wait.
    [InlineData(45, 0, 45)]
    [InlineData(44.5, 0, 45)]
    [InlineData(45, 20, 25)]
    [InlineData(45, 42, 7)]
    [InlineData(45, -3600, 45)]
    public void The_maximum_wait_never_ends_before_the_snapshots_freshness(
        double fresh, double elapsed, double expected)
    {
        using var pacing = New("00:00:07.5");
        var snapshot = Snapshot(VerdictKind.Running, estimate: 3000, fresh: fresh);
        Assert.Equal(expected, pacing.NextPoll(Key("job"), snapshot, Now.AddSeconds(elapsed)).TotalSeconds);
    }

    [Fact]
    public async Task Retry_After_of_a_stale_answer_is_the_rest_of_the_upstreams_rounded_up()
    {
        await using var world = await World.StopClockAsync();
        using var fresh = await world.GetAsync("run-300");
        world.Clock!.Advance(TimeSpan.FromSeconds(3));
        world.Upstream.Faults.Add(new Fault { Kind = FaultKind.Status, Status = 503, RetryAfter = "77" });
        using var first = await world.GetAsync("run-300");
        world.Clock!.Advance(TimeSpan.FromSeconds(30.5));

        using var later = await world.GetAsync("run-300");

        Assert.Contains("detail=upstream-503", JobTests.CacheStatus(later), StringComparison.Ordinal);
        // 46.5 s remain.
        Assert.Equal(47, later.Headers.RetryAfter!.Delta!.Value.TotalSeconds);
    }

    [Theory]
    [InlineData("77", 77)]
    [InlineData("86400", 300)]
    public async Task Retry_After_of_a_stale_answer_is_the_upstreams_up_to_five_minutes(string said, int seconds)
    {
        await using var world = await World.StopClockAsync();
        using var fresh = await world.GetAsync("run-300");
        world.Clock!.Advance(TimeSpan.FromSeconds(3));
        world.Upstream.Faults.Add(new Fault { Kind = FaultKind.Status, Status = 503, RetryAfter = said });

        using var stale = await world.GetAsync("run-300");

        Assert.Contains("detail=upstream-503", JobTests.CacheStatus(stale), StringComparison.Ordinal);
        Assert.Equal(seconds, stale.Headers.RetryAfter!.Delta!.Value.TotalSeconds);
        Assert.True(stale.Headers.CacheControl!.NoCache);
    }

    private static Pacing New(string longest = "01:00:00") => new(
        Fixed.Of(new JobsOptions { MaxPollInterval = TimeSpan.Parse(longest, CultureInfo.InvariantCulture) }),
        new SteadyClock(TimeProvider.System));

    private static void Observe(Pacing pacing, string job, double took) =>
        pacing.Observe(Key(job), Snapshot(VerdictKind.Finished, took: took));

    // The wait is randomised by 10 % either way.
    private static void AssertNextPoll(
        Pacing pacing, double seconds, string workflow = "survey-1", string account = "default") => Assert.InRange(
        pacing.NextPoll(Key("job", workflow, account), Snapshot(VerdictKind.Running, estimate: 30), Now).TotalSeconds,
        seconds * 0.9, seconds * 1.1 + 1);

    private static JobKey Key(string job, string workflow = "survey-1", string account = "default")
    {
        Assert.True(JobAddress.TryCreate(workflow, job, out var address));
        return new JobKey(account, address);
    }

    private static JobSnapshot Snapshot(VerdictKind kind, double took = 0, double estimate = 0, double fresh = 0)
    {
        var body = string.Create(CultureInfo.InvariantCulture,
            $$"""{"created_at":"{{Now:O}}","finished_at":"{{Now.AddSeconds(
                took):O}}","estimated_duration":{{estimate}}}""");
        return JobSnapshot.From(Encoding.UTF8.GetBytes(body), new Verdict(kind, TimeSpan.FromSeconds(fresh)),
            order: 1, Now);
    }

    private static string Running(World world, string job, int elapsed, int estimate) =>
        string.Create(CultureInfo.InvariantCulture,
            $$"""
            {"id":"{{job}}","workflow_id":"survey-1","status":"running","progress":"0",
            "estimated_duration":{{estimate}},"created_at":"{{world.Clock!.GetUtcNow().AddSeconds(-elapsed):O}}"}
            """);

    private static TimeSpan? Span(double? seconds) => seconds is null ? null : TimeSpan.FromSeconds(seconds.Value);
}

using System.Net;
using System.Text;
using System.Text.RegularExpressions;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.RequestPath;
using Simulator;

namespace Gateway.Tests.Drift;

/// <summary>Tests a gateway whose upstream deviates from the contract.</summary>
public sealed class DriftTests
{
    [Theory]
    [InlineData("drift-field", "/tasks/*/node_pool", "unknown-field", "spot-gpu-large")]
    [InlineData("drift-type", "/cost", "wrong-type", "1250 credits")]
    [InlineData("drift-missing", "/progress", "missing-field", "analyst@survey.example")]
    [InlineData("drift-status", "/tasks/*/status", "new-status", "archived")]
    public async Task Each_kind_of_drift_is_logged_once_without_values_and_does_not_affect_requests(
        string modifier, string at, string kind, string value)
    {
        await using var world = await World.StopClockAsync(Purging.Operator);
        using var measured = new Operating.Measured(world.Gateway);
        var start = world.Clock!.GetUtcNow();
        for (var n = 1; n <= 3; n++)
        {
            using var answer = await world.GetAsync($"finished-{n}.{modifier}");
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            Assert.Equal(await world.UpstreamBytesAsync($"finished-{n}.{modifier}"),
                await answer.Content.ReadAsByteArrayAsync(World.Cancellation));
            await Operating.CheckedAsync(world.Gateway, n);
            world.Clock.Advance(TimeSpan.FromMinutes(1));
        }

        var report = await Operating.ReportAsync(world.Gateway);
        Assert.Equal([$"{at} {kind} 3"], Operating.Findings(report));
        var seen = report.GetProperty("findings")[0];
        Assert.Equal((start, start.AddMinutes(2)),
            (seen.GetProperty("first_seen").GetDateTimeOffset(), seen.GetProperty("last_seen").GetDateTimeOffset()));
        Assert.Equal($$"""{"workflow":"survey-1","job":"finished-3.{{modifier}}"}""",
            seen.GetProperty("last_seen_in").GetRawText());
        Assert.Equal([new($"gateway.drift.pointer={at} gateway.drift.kind={kind}", 3)], measured.Counts);
        Assert.Equal(
            $"Warning Gateway.Drift.DriftWatch: The upstream's jobs differ from the contract: {kind} at {at}",
            Assert.Single(world.Gateway.Log.All, line => line.Contains("Gateway.Drift", StringComparison.Ordinal))
                .TrimEnd());

        Assert.Contains(value, Encoding.UTF8.GetString(await world.UpstreamBytesAsync($"finished-1.{modifier}")),
            StringComparison.Ordinal);
        foreach (var line in (string[])[.. world.Gateway.Log.All, report.GetRawText(), .. measured.Counts.Keys])
        {
            Assert.DoesNotContain(value, line, StringComparison.OrdinalIgnoreCase);
        }
    }

    [Fact]
    public async Task Documented_jobs_cause_no_findings()
    {
        await using var world = await World.StartAsync(
            [.. Purging.Operator, ("Contract:DriftChecksPerSecond", "1000")]);
        string[] jobs = ["finished-1", "run-30", "fail", "cancel", "stuck", "finished-1.raw-ints",
            "finished-1.escaped.time-space", "missing", "forbidden", "bad"];
        foreach (var job in jobs) (await world.GetAsync(job)).Dispose();

        var report = await Operating.CheckedAsync(world.Gateway, jobs.Length - 3);

        Assert.Equal([], Operating.Findings(report));
        Assert.DoesNotContain(world.Gateway.Log.All, line => line.Contains("Gateway.Drift", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_cache_hit_is_not_checked()
    {
        await using var world = await World.StopClockAsync(Purging.Operator);
        Assert.False(await Purging.IsHitAsync(world.Gateway, "finished-1.drift-type"));
        for (var n = 0; n < 5; n++) Assert.True(await Purging.IsHitAsync(world.Gateway, "finished-1.drift-type"));
        Assert.False(await Purging.IsHitAsync(world.Gateway, "finished-2.drift-type"));

        Assert.Equal(["/cost wrong-type 2"], Operating.Findings(await Operating.CheckedAsync(world.Gateway, 2)));
    }

    [Fact]
    public async Task The_number_of_checks_per_second_is_limited()
    {
        await using var world = await World.StopClockAsync(
            [.. Purging.Operator, ("Contract:DriftChecksPerSecond", "3")]);
        for (var n = 0; n < 10; n++) Assert.False(await Purging.IsHitAsync(world.Gateway, $"finished-{n}.drift-type"));
        var report = await Operating.CheckedAsync(world.Gateway, 3);
        Assert.Equal(7, Operating.Skipped(report, "sampled_out"));

        world.Clock!.Advance(TimeSpan.FromSeconds(1));
        for (var n = 10; n < 12; n++) Assert.False(await Purging.IsHitAsync(world.Gateway, $"finished-{n}.drift-type"));

        Assert.Equal(["/cost wrong-type 5"], Operating.Findings(await Operating.CheckedAsync(world.Gateway, 5)));
    }

    [Fact]
    public async Task Checks_that_are_turned_off_can_be_turned_on_at_run_time()
    {
        await using var world = await World.StopClockAsync(
            [.. Purging.Operator, ("Contract:DriftChecksPerSecond", "0")]);
        Assert.False(await Purging.IsHitAsync(world.Gateway, "finished-1.drift-field"));
        world.Gateway.Reconfigure(("Contract:DriftChecksPerSecond", "10"));
        Assert.False(await Purging.IsHitAsync(world.Gateway, "finished-2.drift-type"));

        var report = await Operating.CheckedAsync(world.Gateway, 1);

        Assert.Equal(["/cost wrong-type 1"], Operating.Findings(report));
        Assert.All(report.GetProperty("skipped").EnumerateObject(),
            skipped => Assert.Equal(0, skipped.Value.GetInt32()));
    }

    [Fact]
    public async Task A_large_job_is_not_checked_and_is_counted_as_skipped()
    {
        await using var world = await World.StopClockAsync(Purging.Operator);
        Assert.False(await Purging.IsHitAsync(world.Gateway, "finished-1.drift-field.large"));
        Assert.False(await Purging.IsHitAsync(world.Gateway, "finished-1.drift-type.size-1000"));

        var report = await Operating.CheckedAsync(world.Gateway, 1);

        Assert.Equal(["/cost wrong-type 1"], Operating.Findings(report));
        Assert.Equal(1, Operating.Skipped(report, "too_large"));
    }

    [Fact]
    public async Task At_most_100_findings_are_kept_and_further_ones_are_only_counted()
    {
        await using var world = await World.StopClockAsync(Purging.Operator);
        using var measured = new Operating.Measured(world.Gateway);
        Script(world, "finished-1", Enumerable.Range(0, 60));
        Script(world, "finished-2", Enumerable.Range(50, 75));
        foreach (var job in (string[])["finished-1", "finished-2"]) (await world.GetAsync(job)).Dispose();

        var report = await Operating.CheckedAsync(world.Gateway, 2);

        var findings = Operating.Findings(report);
        Assert.Equal(100, findings.Length);
        Assert.Equal(10, findings.Count(finding => finding.EndsWith(" unknown-field 2", StringComparison.Ordinal)));
        Assert.Equal(25, report.GetProperty("more").GetInt32());
        Assert.Equal(100, measured.Counts.Count);
        Assert.Equal(100,
            world.Gateway.Log.All.Count(line => line.Contains("differ from the contract", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Findings_are_listed_by_first_occurrence_newest_first()
    {
        await using var world = await World.StopClockAsync(Purging.Operator);
        string[] jobs = ["finished-1.drift-field", "finished-1.drift-type", "finished-2.drift-field.drift-missing"];
        for (var n = 0; n < jobs.Length; n++)
        {
            (await world.GetAsync(jobs[n])).Dispose();
            await Operating.CheckedAsync(world.Gateway, n + 1);
            world.Clock!.Advance(TimeSpan.FromSeconds(1));
        }
        Assert.Equal(["/progress missing-field 1", "/cost wrong-type 1", "/tasks/*/node_pool unknown-field 2"],
            Operating.Findings(await Operating.ReportAsync(world.Gateway)));
    }

    [Fact]
    public async Task A_failed_check_is_counted_and_does_not_affect_requests_or_later_checks()
    {
        await using var world = await World.StopClockAsync(Purging.Operator);
        using (new Operating.Measured(world.Gateway, () => throw new InvalidOperationException("A listener failed.")))
        {
            for (var n = 0; n < 3; n++) Assert.False(
                await Purging.IsHitAsync(world.Gateway, $"finished-{n}.drift-type"));
            await Wait.UntilAsync(TimeSpan.FromSeconds(20),
                async () =>
                    Operating.Skipped(await Operating.ReportAsync(world.Gateway), "failed") == 3, "3 checks fail");
        }
        Assert.False(await Purging.IsHitAsync(world.Gateway, "finished-4.drift-type"));

        await Operating.CheckedAsync(world.Gateway, 1);

        Assert.Single(world.Gateway.Log.All, line => line.StartsWith("Error Gateway.Drift", StringComparison.Ordinal));
    }

    [Fact]
    public async Task During_a_slow_check_16_jobs_are_queued_and_further_ones_skipped_without_delaying_requests()
    {
        await using var world = await World.StopClockAsync(
            [.. Purging.Operator, ("Contract:DriftChecksPerSecond", "1000")]);
        using ManualResetEventSlim entered = new(), go = new();
        using var measured = new Operating.Measured(world.Gateway, () =>
        {
            entered.Set();
            go.Wait(TimeSpan.FromSeconds(60));
        });
        Assert.False(await Purging.IsHitAsync(world.Gateway, "finished-0.drift-type"));
        await Wait.UntilAsync(TimeSpan.FromSeconds(20), () => entered.IsSet, "a check is under way");

        for (var n = 1; n <= 16 + 3; n++) Assert.False(
            await Purging.IsHitAsync(world.Gateway, $"finished-{n}.drift-type"));
        Assert.Equal(3, Operating.Skipped(await Operating.ReportAsync(world.Gateway), "busy"));
        go.Set();

        Assert.Equal(["/cost wrong-type 17"], Operating.Findings(await Operating.CheckedAsync(world.Gateway, 17)));
    }

    [Theory]
    [InlineData(null, 401, "/problems/unauthenticated")]
    [InlineData("wrong", 401, "/problems/unauthenticated")]
    [InlineData(World.MappingKey, 403, "/problems/operator-required")]
    public async Task The_drift_report_is_available_only_to_operators(string? key, int status, string type)
    {
        await using var world = await World.StartAsync(Purging.Operator);
        using var client = key is null ? world.Gateway.Client() : world.Gateway.Client(("X-Api-Key", key));

        using var answer = await client.GetAsync(Operating.Path, World.Cancellation);

        Assert.Equal((status, type), ((int)answer.StatusCode, await BoundTests.ProblemTypeAsync(answer)));
    }

    [Fact]
    public async Task The_drift_report_is_not_cacheable()
    {
        await using var world = await World.StartAsync(Purging.Operator);
        using var client = world.Gateway.Client(("X-Api-Key", Purging.OperatorKey));
        using var answer = await client.GetAsync(Operating.Path, World.Cancellation);
        Assert.Equal("no-store", answer.Headers.CacheControl!.ToString());
        Assert.Equal(
            """{"checked":0,"skipped":{"sampled_out":0,"too_large":0,"busy":0,"failed":0},"findings":[],"more":0}""",
            await answer.Content.ReadAsStringAsync(World.Cancellation));
    }

    [Fact]
    public async Task With_a_management_port_the_drift_report_is_served_only_there_along_with_its_metrics()
    {
        await using var world = await World.WithoutGatewayAsync(clock: null, Purging.Operator);
        var port = ChildProcess.FreePort();
        var environment = world.Environment();
        environment["Management__Port"] = $"{port}";
        await using var gateway = await GatewayProcess.StartAsync(environment);
        using var caller = gateway.Client();
        (await caller.GetAsync(new Uri("v0/workflows/survey-1/jobs/finished-1.drift-type", UriKind.Relative),
            World.Cancellation)).Dispose();
        using var outside = gateway.Client(Purging.OperatorKey);
        using var inside = gateway.Client(Purging.OperatorKey);
        inside.BaseAddress = new Uri($"http://127.0.0.1:{port}/");

        Assert.Equal(HttpStatusCode.NotFound, await GatewayProcess.StatusOf(outside, "admin/drift"));
        Assert.Equal(HttpStatusCode.OK, await GatewayProcess.StatusOf(inside, "admin/drift"));
        await Wait.UntilAsync(TimeSpan.FromSeconds(20), async () =>
        {
            var metrics = await inside.GetStringAsync(new Uri("metrics", UriKind.Relative), World.Cancellation);
            return Regex.IsMatch(metrics,
                    """gateway_drift_jobs_total\{[^}]*drift_kind="wrong-type",gateway_drift_pointer="/cost"\} 1\b""")
                && Regex.IsMatch(metrics, """gateway_drift_checks_total\{[^}]*gateway_drift_outcome="Checked"\} 1\b""");
        }, "the drift metrics are exported");
    }

    private static void Script(World world, string job, IEnumerable<int> fields) => world.Upstream.Faults.Add(new Fault
    {
        Job = job,
        Kind = FaultKind.Status,
        Status = 200,
        Body = $$"""
            {"id":"{{job}}","workflow_id":"survey-1","status":"running","progress":"1","tasks":[],"created_at":"",
              "updated_at":"",
            {{string.Join(",", fields.Select(n => $"\"field_{n}\":1"))}}}
            """,
    });
}

using System.Globalization;
using System.Net;
using Gateway.Tests.Infrastructure;
using Simulator;

namespace Gateway.Tests.RequestPath;

/// <summary>A gateway process without Redis whose system wall clock is set while it runs.</summary>
public sealed class SteppedProcessTests
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(20);

    /// <summary>The step in seconds.</summary>
    public static TheoryData<int> Steps => [-20, -60, -3600, 3600];

    [Theory]
    [MemberData(nameof(Steps))]
    public async Task Quotas_jobs_failures_and_pauses_continue_when_the_clock_is_set(int seconds)
    {
        using var time = new FakedTime();
        await using var world = await World.WithoutGatewayAsync(clock: null,
            ("Teams:survey:Quota", "tiny"), ("Quotas:tiny:Requests", "60"), ("Quotas:tiny:Burst", "5"),
            ("Upstream:Accounts:paused:Credential", Canary.Credential), ("Teams:paused:Account", "paused"),
            ("Teams:paused:Workflows:0", "*"),
            ("Teams:paused:Quota", "plenty"), ("Teams:paused:ApiKeys:0:Id", "paused-test"),
            ("Teams:paused:ApiKeys:0:Sha256", World.Sha256("paused-key-0123456789")));
        await using var gateway = await GatewayProcess.StartAsync(time.Environment(world));
        using HttpClient mapping = gateway.Client(), survey = gateway.Client(World.SurveyKey),
            paused = gateway.Client("paused-key-0123456789");
        world.Upstream.Faults.Add(new Fault { Job = "finished-bad", Kind = FaultKind.Status, Status = 500, Times = 1 });
        world.Upstream.Faults.Add(
            new Fault { Job = "finished-busy", Kind = FaultKind.Status, Status = 429, RetryAfter = "5", Times = 1 });

        Assert.Equal(HttpStatusCode.OK, (await AskAsync(mapping, "run-4")).Status);
        Assert.Equal(HttpStatusCode.BadGateway, (await AskAsync(mapping, "finished-bad")).Status);
        var pause = await AskAsync(paused, "finished-busy");
        Assert.InRange(pause.RetryAfter!.Value.TotalSeconds, 1, 6);
        while ((await AskAsync(survey, "finished-1")).Status != HttpStatusCode.TooManyRequests)
        {
            // Requests until the quota is used up.
        }

        var before = await DateAsync(mapping);
        time.Set(TimeSpan.FromSeconds(seconds));
        await Wait.UntilAsync(Bound, async () =>
            Math.Abs((await DateAsync(mapping) - before).TotalSeconds - seconds) < 15, "the gateway sees the step");

        // Each ends within seconds, and does not last as long as the clock was set back.
        await Wait.UntilAsync(Bound, async () => (await AskAsync(survey, "finished-1")).Status == HttpStatusCode.OK,
            "permits are refilled");
        await Wait.UntilAsync(Bound, async () =>
            (await AskAsync(mapping, "finished-bad")).Status == HttpStatusCode.OK, "the failure is over");
        await Wait.UntilAsync(Bound, async () =>
            (await AskAsync(paused, "finished-busy")).Status == HttpStatusCode.OK, "the pause is over");
        await Wait.UntilAsync(Bound, async () =>
        {
            var job = await AskAsync(mapping, "run-4");
            Assert.InRange(job.Age?.TotalSeconds ?? 0, 0, 60);
            return job.Body.Contains("\"completed\"", StringComparison.Ordinal);
        }, "the end of the job is seen");
    }

    private static async Task<DateTimeOffset> DateAsync(HttpClient client)
    {
        using var answer = await client.GetAsync(new Uri("health/live", UriKind.Relative), World.Cancellation);
        return answer.Headers.Date!.Value;
    }

    private static async Task<(HttpStatusCode Status, string Body, TimeSpan? Age, TimeSpan? RetryAfter)> AskAsync(
        HttpClient client, string job)
    {
        using var answer = await client.GetAsync(
            new Uri($"v0/workflows/survey-1/jobs/{job}", UriKind.Relative), World.Cancellation);
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync(World.Cancellation), answer.Headers.Age,
            answer.Headers.RetryAfter?.Delta);
    }

    /// <summary>A wall clock for one process, by libfaketime.</summary>
    private sealed class FakedTime : IDisposable
    {
        private const string Library = "libfaketime.so.1";

        private readonly string? _library = Directory.Exists("/usr/lib")
            ? Directory.EnumerateFiles(
                "/usr/lib", Library, new EnumerationOptions { RecurseSubdirectories = true, IgnoreInaccessible = true })
                .FirstOrDefault()
            : null;
        private readonly string _file = Path.GetTempFileName();

        public FakedTime()
        {
            Assert.SkipWhen(_library is null,
                $"There is no {Library}, which sets the clock of one process: install faketime.");
            Set(TimeSpan.Zero);
        }

        public void Set(TimeSpan ahead)
        {
            var next = _file + ".next";
            File.WriteAllText(next, string.Create(CultureInfo.InvariantCulture, $"{ahead.TotalSeconds:+0;-0;+0}\n"));
            File.Move(next, _file, overwrite: true);
        }

        public Dictionary<string, string?> Environment(World world)
        {
            var environment = world.Environment();
            environment["LD_PRELOAD"] = _library;
            environment["FAKETIME_TIMESTAMP_FILE"] = _file;
            environment["FAKETIME_NO_CACHE"] = "1";
            // The monotonic clock is not changed.
            environment["FAKETIME_DONT_FAKE_MONOTONIC"] = environment["DONT_FAKE_MONOTONIC"] = "1";
            return environment;
        }

        public void Dispose() => File.Delete(_file);
    }
}

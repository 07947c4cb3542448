using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Gateway.Tests.Infrastructure;
using Microsoft.Extensions.Time.Testing;
using Simulator;

namespace Gateway.Tests.SimulatedApi;

public sealed class SimulatorTests : IAsyncLifetime
{
    private readonly FakeTimeProvider _clock = new(DateTimeOffset.UtcNow);
    private SimulatedUpstream _simulator = null!;
    private HttpClient _client = null!;

    public async ValueTask InitializeAsync()
    {
        _simulator = await SimulatedUpstream.StartAsync(credentials: ["Bearer the-credential"], clock: _clock);
        _client = new HttpClient { BaseAddress = _simulator.Address };
        _client.DefaultRequestHeaders.TryAddWithoutValidation("Authorization", "Bearer the-credential");
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _simulator.DisposeAsync();
    }

    [Theory]
    [InlineData(null)]
    [InlineData("the-credential")]
    [InlineData("bearer the-credential")]
    [InlineData("Bearer the-credential-too")]
    public async Task The_simulator_requires_the_exact_credential(string? credential)
    {
        using var client = new HttpClient { BaseAddress = _simulator.Address };
        if (credential is not null) client.DefaultRequestHeaders.TryAddWithoutValidation("Authorization", credential);

        using var answer = await client.GetAsync(Path("finished-1"), World.Cancellation);

        Assert.Equal(HttpStatusCode.Forbidden, answer.StatusCode);
        var error = (await answer.Content.ReadFromJsonAsync<JsonElement>(World.Cancellation)).GetProperty("error");
        Assert.NotEmpty(error.GetProperty("code").GetString()!);
        Assert.NotEmpty(error.GetProperty("message").GetString()!);
    }

    [Fact]
    public async Task A_job_goes_from_queued_to_running_to_completed_with_its_tasks_in_order()
    {
        var statuses = new List<string>();
        var progress = new List<double>();
        for (var second = 0; second <= 20; second++)
        {
            var job = await JobAsync("run-20");
            statuses.Add(job.GetProperty("status").GetString()!);
            progress.Add(double.Parse(
                job.GetProperty("progress").GetString()!, System.Globalization.CultureInfo.InvariantCulture));
            AssertTasksWaitForTheirDependencies(job);
            _clock.Advance(TimeSpan.FromSeconds(1));
        }
        Assert.Equal(["queued", "running", "completed"], statuses.Distinct());
        Assert.Equal(progress.Order(), progress);
        Assert.True(progress.Distinct().Count() > 5);
        Assert.NotEmpty((await JobAsync("run-20")).GetProperty("finished_at").GetString()!);
    }

    [Fact]
    public async Task A_wide_job_has_a_dozen_tasks_in_order_and_fails_in_one_of_them()
    {
        for (var second = 0; second <= 20; second++)
        {
            AssertTasksWaitForTheirDependencies(await JobAsync("run-20.wide"));
            _clock.Advance(TimeSpan.FromSeconds(1));
        }
        var tasks = (await JobAsync("fail.wide")).GetProperty("tasks").EnumerateArray().ToList();
        Assert.Equal(12, tasks.Count);
        var failed = Assert.Single(tasks, task => task.GetProperty("status").GetString() == "failed");
        Assert.NotEmpty(failed.GetProperty("err_msg").GetString()!);
    }

    [Fact]
    public async Task A_job_starts_again_a_time_after_its_end()
    {
        const string Job = "run-10.again-5";
        var created = (await JobAsync(Job)).GetProperty("created_at").GetString();
        _clock.Advance(TimeSpan.FromSeconds(14));
        Assert.Equal("completed", (await JobAsync(Job)).GetProperty("status").GetString());
        _clock.Advance(TimeSpan.FromSeconds(1));
        var again = await JobAsync(Job);
        Assert.Equal("queued", again.GetProperty("status").GetString());
        Assert.Equal("", again.GetProperty("finished_at").GetString());
        Assert.NotEqual(created, again.GetProperty("created_at").GetString());
    }

    [Fact]
    public async Task A_finished_jobs_bytes_never_change()
    {
        var first = await _client.GetByteArrayAsync(Path("finished-7"), World.Cancellation);
        _clock.Advance(TimeSpan.FromDays(2));
        Assert.Equal(first, await _client.GetByteArrayAsync(Path("finished-7"), World.Cancellation));
    }

    [Theory]
    [InlineData("raw-ints", JsonValueKind.Array)]
    [InlineData("raw-object", JsonValueKind.Object)]
    [InlineData("raw-objects", JsonValueKind.Array)]
    [InlineData("raw-base64", JsonValueKind.String)]
    [InlineData("raw-null", JsonValueKind.Null)]
    public async Task A_raw_field_has_the_requested_format(string form, JsonValueKind kind) =>
        Assert.Equal(kind, (await JobAsync($"finished-1.{form}")).GetProperty("spec").ValueKind);

    [Theory]
    [InlineData("time-z", @"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]
    [InlineData("time-offset", @"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$")]
    [InlineData("time-fraction", @"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$")]
    [InlineData("time-space", @"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")]
    public async Task Timestamps_have_the_requested_format(string form, string pattern) =>
        Assert.Matches(pattern, (await JobAsync($"finished-1.{form}")).GetProperty("created_at").GetString());

    [Theory]
    [InlineData("finished-1", 4_000, 9_000)]
    [InlineData("finished-1.large", 3_000_000, 6_000_000)]
    public async Task Bodies_have_the_requested_size(string job, int least, int most) =>
        Assert.InRange((await _client.GetByteArrayAsync(Path(job), World.Cancellation)).Length, least, most);

    [Fact]
    public async Task A_stuck_job_never_ends()
    {
        await JobAsync("stuck");
        _clock.Advance(TimeSpan.FromDays(400));
        var job = await JobAsync("stuck");
        Assert.Equal("running", job.GetProperty("status").GetString());
        Assert.Equal("100", job.GetProperty("progress").GetString());
    }

    [Fact]
    public async Task A_nameless_job_has_neither_id_nor_workflow_id()
    {
        var job = await JobAsync("finished-1.nameless");
        Assert.False(job.TryGetProperty("id", out _) || job.TryGetProperty("workflow_id", out _));
    }

    [Fact]
    public async Task An_unknown_modifier_is_400_and_names_the_known_ones()
    {
        using var answer = await _client.GetAsync(Path("finished-1.tiny"), World.Cancellation);
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Contains("raw-base64", await answer.Content.ReadAsStringAsync(World.Cancellation),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Faults_are_scripted_over_HTTP_at_run_time()
    {
        using var scripted = await _client.PostAsJsonAsync(
            "_simulator/faults", new { job = "finished-*", kind = "status", status = 418, times = 1 },
            World.Cancellation);
        using var first = await _client.GetAsync(Path("finished-1"), World.Cancellation);
        using var second = await _client.GetAsync(Path("finished-1"), World.Cancellation);
        using var nonsense = await _client.PostAsJsonAsync(
            "_simulator/faults", new { kind = "confetti" }, World.Cancellation);
        Assert.Equal((418, 200, 400), ((int)first.StatusCode, (int)second.StatusCode, (int)nonsense.StatusCode));
    }

    [Fact]
    public async Task A_job_is_moved_through_its_stages_over_HTTP_at_run_time()
    {
        await JobAsync("run-30");
        await SetAsync("completedEarly");
        var early = await JobAsync("run-30");
        _clock.Advance(TimeSpan.FromSeconds(5));
        await SetAsync("completed");
        var completed = await JobAsync("run-30");
        await SetAsync("gone");
        using var gone = await _client.GetAsync(Path("run-30"), World.Cancellation);
        await SetAsync("queued");
        Assert.Equal("queued", (await JobAsync("run-30")).GetProperty("status").GetString());
        using var cleared = await _client.DeleteAsync(
            new Uri("_simulator/lives", UriKind.Relative), World.Cancellation);

        Assert.Equal("running", (await JobAsync("run-30")).GetProperty("status").GetString());
        Assert.Equal(HttpStatusCode.NotFound, gone.StatusCode);
        Assert.All([early, completed], job => Assert.Equal("completed", job.GetProperty("status").GetString()));
        Assert.Equal(early.GetProperty("finished_at").GetString(), completed.GetProperty("finished_at").GetString());
        Assert.NotEqual(early.GetProperty("tasks").ToString(), completed.GetProperty("tasks").ToString());

        using var nonsense = await _client.PutAsJsonAsync(
            "_simulator/lives", new { job = "run-30", stage = "reborn" }, World.Cancellation);
        Assert.Equal(HttpStatusCode.BadRequest, nonsense.StatusCode);

        async Task SetAsync(string stage)
        {
            using var set = await _client.PutAsJsonAsync(
                "_simulator/lives", new { job = "run-30", stage }, World.Cancellation);
            Assert.Equal(HttpStatusCode.NoContent, set.StatusCode);
        }
    }

    [Theory]
    [InlineData("run-30.accepted", HttpStatusCode.Accepted)]
    [InlineData("finished-1.accepted", HttpStatusCode.OK)]
    [InlineData("run-30.retry-7", HttpStatusCode.OK)]
    [InlineData("finished-1.coded-gzip", HttpStatusCode.OK)]
    public async Task Answers_have_the_requested_status_Retry_After_and_encoding(string job, HttpStatusCode status)
    {
        using var answer = await _client.GetAsync(Path(job), World.Cancellation);
        Assert.Equal(status, answer.StatusCode);
        Assert.Equal(job.Contains("retry-7", StringComparison.Ordinal) ? TimeSpan.FromSeconds(7)
            : null, answer.Headers.RetryAfter?.Delta);
        Assert.Equal(job.Contains("gzip", StringComparison.Ordinal) ? "gzip"
            : null, answer.Content.Headers.ContentEncoding.SingleOrDefault());
    }

    [Fact]
    public async Task Unexpected_requests_are_listed()
    {
        using var path = await _client.GetAsync(new Uri("v1/other", UriKind.Relative), World.Cancellation);
        using var query = await _client.GetAsync(Path("finished-1?a=b"), World.Cancellation);
        Assert.Equal(2, _simulator.Ledger.Unexpected.Count);
    }

    private async Task<JsonElement> JobAsync(string job) =>
        await _client.GetFromJsonAsync<JsonElement>(Path(job), World.Cancellation);

    private static Uri Path(string job) => new($"v0/workflows/survey-1/jobs/{job}", UriKind.Relative);

    private static void AssertTasksWaitForTheirDependencies(JsonElement job)
    {
        var progress = job.GetProperty("tasks").EnumerateArray().ToDictionary(
            task => task.GetProperty("name").GetString()!, task => task.GetProperty("progress").GetDouble());
        foreach (var task in job.GetProperty("tasks").EnumerateArray())
        {
            if (task.GetProperty("progress").GetDouble() == 0) continue;
            Assert.All(task.GetProperty("depends_on")
                .EnumerateArray(), name => Assert.Equal(100, progress[name.GetString()!]));
        }
    }
}

using System.Net;
using System.Text;
using System.Text.Json;
using Gateway.Tests.Infrastructure;
using Simulator;

namespace Gateway.Tests.Watching;

/// <summary>Requests for several jobs at once.</summary>
public sealed class BatchTests
{
    [Fact]
    public async Task Each_job_has_its_own_status_tag_and_freshness_in_the_order_of_the_query()
    {
        await using var world = await World.StartAsync();
        world.Upstream.Lives.Set("life", LifeStage.Running);
        using var known = await world.GetAsync("finished-1");

        using var answer = await GetAsync(
            world, "job=survey-1/life&job=harbour/finished-1&job=survey-1/missing&job=survey-1/finished-1"
            + "&job=survey-1/life", World.SurveyKey);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        var jobs = await JobsAsync(answer);
        Assert.Equal(
            ["survey-1/life 200", "harbour/finished-1 403", "survey-1/missing 404", "survey-1/finished-1 200"],
            jobs.Select(job => $"{Text(job, "workflow_id")}/{Text(job, "job_id")} {job.GetProperty("status")}"));
        Assert.Equal(known.Headers.ETag!.ToString(), Text(jobs[3], "etag"));
        Assert.StartsWith("Gateway; hit", Text(jobs[3], "cache_status"), StringComparison.Ordinal);
        Assert.True(jobs[3].GetProperty("fresh_for").GetInt64() > 1_000_000);
        Assert.InRange(jobs[0].GetProperty("fresh_for").GetInt64(), 0, 2);
        Assert.True(jobs[0].GetProperty("retry_after").GetInt64() > 0);
        Assert.Equal(Encoding.UTF8.GetString(await world.UpstreamBytesAsync("finished-1")),
            jobs[3].GetProperty("job").GetRawText());
        Assert.Equal("/problems/workflow-forbidden", Text(jobs[1].GetProperty("problem"), "type"));
        Assert.Equal("/problems/job-not-found", Text(jobs[2].GetProperty("problem"), "type"));
    }

    [Fact]
    public async Task An_unchanged_batch_is_304()
    {
        await using var world = await World.StartAsync();
        world.Upstream.Lives.Set("life", LifeStage.Running);
        const string Jobs = "job=survey-1/life&job=survey-1/finished-1";
        using var first = await GetAsync(world, Jobs);
        using var again = await GetAsync(world, Jobs, etag: first.Headers.ETag!.ToString());
        world.Upstream.Lives.Set("life", LifeStage.Failed);
        await Task.Delay(TimeSpan.FromSeconds(2.5), World.Cancellation);
        using var changed = await GetAsync(world, Jobs, etag: first.Headers.ETag!.ToString());

        Assert.True(first.Headers.ETag.IsWeak);
        Assert.Equal([HttpStatusCode.OK, HttpStatusCode.NotModified, HttpStatusCode.OK],
            new[] { first, again, changed }.Select(answer => answer.StatusCode));
    }

    [Fact]
    public async Task An_unchanged_batch_takes_the_same_permits()
    {
        await using var world = await World.StartAsync(
            ("Quotas:four:Requests", "4"), ("Quotas:four:Window", "01:00:00"), ("Quotas:four:Burst", "4"),
            ("Teams:mapping:Quota", "four"));
        const string Jobs = "job=survey-1/finished-1&job=survey-1/finished-2";
        using var first = await GetAsync(world, Jobs);
        using var again = await GetAsync(world, Jobs, etag: first.Headers.ETag!.ToString());
        using var third = await GetAsync(world, Jobs, etag: first.Headers.ETag!.ToString());

        Assert.Equal([HttpStatusCode.OK, HttpStatusCode.NotModified, HttpStatusCode.TooManyRequests],
            new[] { first, again, third }.Select(answer => answer.StatusCode));
    }

    [Fact]
    public async Task Age_and_freshness_are_those_of_the_single_answers()
    {
        await using var world = await World.StopClockAsync(("Jobs:RunningLifetime", "00:00:20"));
        world.Upstream.Lives.Set("life", LifeStage.Running);
        using var known = await world.GetAsync("life");
        world.Clock!.Advance(TimeSpan.FromSeconds(7));
        using var single = await world.GetAsync("life");

        using var answer = await GetAsync(world, "job=survey-1/life");

        var job = Assert.Single(await JobsAsync(answer));
        Assert.Equal((7, 13), (job.GetProperty("age").GetInt32(), job.GetProperty("fresh_for").GetInt32()));
        Assert.Equal(single.Headers.Age, TimeSpan.FromSeconds(7));
        Assert.Equal(single.Headers.RetryAfter!.Delta!.Value.TotalSeconds, job.GetProperty("retry_after").GetDouble());
    }

    [Fact]
    public async Task Each_job_takes_a_permit_and_the_batch_is_429_only_if_none_is_left()
    {
        await using var world = await World.StartAsync(
            ("Quotas:three:Requests", "3"), ("Quotas:three:Window", "01:00:00"), ("Quotas:three:Burst", "3"),
            ("Teams:mapping:Quota", "three"));
        const string Jobs = "job=survey-1/finished-1&job=survey-1/finished-2";
        using var first = await GetAsync(world, Jobs);
        using var second = await GetAsync(world, Jobs);
        using var third = await GetAsync(world, Jobs);

        Assert.Equal("200 200", string.Join(' ', await StatusesAsync(first)));
        Assert.Equal("200 429", string.Join(' ', await StatusesAsync(second)));
        Assert.Equal(HttpStatusCode.TooManyRequests, third.StatusCode);
        Assert.NotNull(third.Headers.RetryAfter);
    }

    [Fact]
    public async Task A_batch_of_summaries_is_smaller_and_says_so()
    {
        await using var world = await World.StartAsync();
        using var whole = await GetAsync(world, "job=survey-1/finished-1");
        using var summary = await GetAsync(world, "job=survey-1/finished-1", prefer: "return=minimal");

        Assert.Equal("return=minimal", Assert.Single(summary.Headers.GetValues("Preference-Applied")));
        Assert.Contains("Prefer", summary.Headers.Vary);
        var job = Assert.Single(await JobsAsync(summary)).GetProperty("job");
        Assert.Equal(("finished-1", "completed"), (Text(job, "id"), Text(job, "status")));
        await using var stream = await EventReader.OpenAsync(
            world.Gateway, EventReader.PathOf("finished-1") + "?view=summary");
        var item = await stream.NextAsync("job");
        Assert.Equal((item.Data, $"\"{item.EventId}\""),
            (job.GetRawText(), Text(Assert.Single(await JobsAsync(summary)), "etag")));
        Assert.NotEqual(whole.Headers.ETag, summary.Headers.ETag);
        var full = Assert.Single(await JobsAsync(whole)).GetProperty("job");
        Assert.True(job.GetRawText().Length < full.GetRawText().Length / 2);
    }

    [Fact]
    public async Task All_jobs_of_a_batch_are_fetched_at_the_same_time()
    {
        await using var world = await World.StartAsync();
        world.Upstream.Faults.Add(new Fault { Kind = FaultKind.Delay, Delay = TimeSpan.FromSeconds(1) });
        var jobs = string.Join('&', Enumerable.Range(0, 20).Select(i => $"job=survey-1/finished-{i}"));

        using var answer = await GetAsync(world, jobs).WaitAsync(TimeSpan.FromSeconds(10), World.Cancellation);

        Assert.All(await StatusesAsync(answer), status => Assert.Equal(200, status));
        Assert.Equal(20, world.Upstream.Ledger.Total);
    }

    private static async Task<HttpResponseMessage> GetAsync(
        World world, string jobs, string key = World.MappingKey, string? etag = null, string? prefer = null)
    {
        using var client = world.Gateway.Client(("X-Api-Key", key));
        using var request = new HttpRequestMessage(
            HttpMethod.Get, new Uri($"v0/jobs?{jobs}", UriKind.Relative));
        if (etag is not null) request.Headers.TryAddWithoutValidation("If-None-Match", etag);
        if (prefer is not null) request.Headers.TryAddWithoutValidation("Prefer", prefer);
        return await client.SendAsync(request, World.Cancellation);
    }

    private static async Task<JsonElement[]> JobsAsync(HttpResponseMessage answer) =>
        [.. JsonElement.Parse(await answer.Content.ReadAsStringAsync(World.Cancellation))
            .GetProperty("jobs").EnumerateArray()];

    private static async Task<int[]> StatusesAsync(HttpResponseMessage answer) =>
        Array.ConvertAll(await JobsAsync(answer), job => job.GetProperty("status").GetInt32());

    private static string? Text(JsonElement json, string name) => json.GetProperty(name).GetString();
}

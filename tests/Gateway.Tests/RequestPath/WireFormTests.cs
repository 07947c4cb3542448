using System.Globalization;
using System.IO.Compression;
using System.Net;
using System.Text;
using Gateway.Tests.Infrastructure;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Simulator;

namespace Gateway.Tests.RequestPath;

/// <summary>The forms in which an upstream may report that a job exists, has ended, or is gone.</summary>
public sealed class WireFormTests
{
    [Theory]
    [InlineData("gzip")]
    [InlineData("deflate")]
    [InlineData("br")]
    public async Task A_body_that_is_compressed_without_request_is_decoded(string coding)
    {
        await using var world = await World.StopClockAsync();
        var job = $"finished-1.coded-{coding}";

        using var answer = await world.GetAsync(job);
        using var hit = await world.GetAsync(job);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Empty(answer.Content.Headers.ContentEncoding);
        Assert.Equal("identity", Assert.Single(world.Upstream.Ledger.Calls).RequestHeaders["Accept-Encoding"]);
        using var decoding = new HttpClient(
            new HttpClientHandler { AutomaticDecompression = DecompressionMethods.All });
        decoding.DefaultRequestHeaders.TryAddWithoutValidation("Authorization", Canary.Credential);
        var sent = await decoding.GetStringAsync(
            new Uri(world.Upstream.Address, $"v0/workflows/survey-1/jobs/{job}"), World.Cancellation);
        Assert.Equal(sent, await answer.Content.ReadAsStringAsync(World.Cancellation));
        Assert.Equal(sent, await hit.Content.ReadAsStringAsync(World.Cancellation));
    }

    [Theory]
    [InlineData("finished-1.coded-zstd", "content-coding")]
    [InlineData("finished-1.coded-compress", "content-coding")]
    [InlineData("finished-1.size-40000.coded-gzip", "too-large")]
    [InlineData("finished-1.size-40000.coded-br", "too-large")]
    public async Task A_body_with_an_unknown_coding_or_too_large_when_decoded_is_502(string job, string detail)
    {
        await using var world = await World.StartAsync();

        using var answer = await world.GetAsync(job);

        Assert.Equal(HttpStatusCode.BadGateway, answer.StatusCode);
        Assert.Contains($"detail={detail}", JobTests.CacheStatus(answer), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_echoed_credential_in_a_compressed_body_is_detected()
    {
        await using var world = await World.StartAsync();
        world.Upstream.Faults.Add(new Fault { Kind = FaultKind.EchoCredential });

        using var answer = await world.GetAsync("finished-1.coded-gzip");

        Assert.Equal(HttpStatusCode.BadGateway, answer.StatusCode);
        Assert.Contains("detail=credential-echoed", JobTests.CacheStatus(answer), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_compressed_error_keeps_its_error_object()
    {
        await using var world = await World.StartAsync();
        await using var proxy = await EncodingUpstream.StartAsync(
            403, """{"error":{"code":"FORBIDDEN","message":"no"}}""");
        var node = world.AddGateway(("Upstream:BaseAddress", proxy.Address));

        using var answer = await World.GetAsync(node, "any");

        Assert.Equal(HttpStatusCode.Forbidden, answer.StatusCode);
        Assert.Equal("FORBIDDEN", (await BoundTests.ProblemAsync(answer)).GetProperty("error").GetProperty("code")
            .GetString());
    }

    [Fact]
    public async Task A_202_with_a_job_is_a_running_job()
    {
        await using var world = await World.StopClockAsync();

        using var first = await world.GetAsync("run-30.accepted");
        world.Clock!.Advance(TimeSpan.FromSeconds(1));
        using var hit = await world.GetAsync("run-30.accepted");
        world.Clock!.Advance(TimeSpan.FromSeconds(1));
        using var next = await world.GetAsync("run-30.accepted");

        Assert.All([first, hit, next], answer => Assert.Equal(HttpStatusCode.OK, answer.StatusCode));
        Assert.Equal("Gateway; fwd=uri-miss; fwd-status=202; stored", JobTests.CacheStatus(first));
        Assert.NotNull(hit.Headers.RetryAfter);
        Assert.Equal(2, world.Upstream.Ledger.Total);
    }

    [Fact]
    public async Task A_202_is_never_final()
    {
        await using var world = await World.StopClockAsync();
        Respond(world, 202, Job("completed", "\"2026-01-01T00:00:00Z\""));
        Assert.Equal(5, await CallsAsync(world, seconds: 10));
    }

    [Theory]
    [InlineData("run-300.retry-20", 20, 20)]
    [InlineData("run-300.accepted.retry-20", 20, 20)]
    [InlineData("run-300.retry-90", 30, 90)]
    [InlineData("run-300.retry-1", 2, 2)]
    [InlineData("run-300.retry-0", 2, 2)]
    public async Task The_upstreams_Retry_After_sets_the_lifetime_and_the_callers_wait(string job, int kept, int wait)
    {
        await using var world = await World.StopClockAsync(("Jobs:MinPollInterval", "00:00:01"));
        using var first = await world.GetAsync(job);
        world.Clock!.Advance(TimeSpan.FromSeconds(kept - 0.5));
        using var hit = await world.GetAsync(job);
        Assert.Equal(1, world.Upstream.Ledger.Total);
        world.Clock!.Advance(TimeSpan.FromSeconds(0.5));
        using var next = await world.GetAsync(job);

        Assert.Equal(2, world.Upstream.Ledger.Total);
        Assert.True(first.Headers.RetryAfter!.Delta >= TimeSpan.FromSeconds(wait), $"{first.Headers.RetryAfter}");
        Assert.True(hit.Headers.RetryAfter!.Delta >= TimeSpan.FromSeconds(Math.Max(1, wait - kept)),
            $"{hit.Headers.RetryAfter}");
    }

    [Fact]
    public async Task The_upstreams_Retry_After_may_be_a_date()
    {
        await using var world = await World.StopClockAsync();
        var date = world.Clock!.GetUtcNow().AddSeconds(21).ToString("R", CultureInfo.InvariantCulture);
        world.Upstream.Faults.Add(
            new Fault { Kind = FaultKind.Status, Status = 200, Body = Job("running", "\"\""), RetryAfter = date });
        using var answer = await world.GetAsync("j", "w");
        world.Clock!.Advance(TimeSpan.FromSeconds(19));
        using var hit = await world.GetAsync("j", "w");

        Assert.InRange(answer.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 20, 33);
        Assert.Equal(1, world.Upstream.Ledger.Total);
    }

    [Theory]
    [InlineData("""{"error":{"code":"NOT_FOUND","message":"no such job"}}""")]
    [InlineData("""{"error":"not found"}""")]
    [InlineData("""{"status":404,"error":"Not Found","path":"/x"}""")]
    [InlineData("""{"status":"error","error":{"message":"no such job"}}""")]
    [InlineData("""{"message":"no such job"}""")]
    [InlineData("{}")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData(" \n")]
    public async Task A_200_without_a_job_is_502(string body)
    {
        await using var world = await World.StartAsync();
        Respond(world, 200, body);

        using var answer = await world.GetAsync("j", "w");

        Assert.Equal(HttpStatusCode.BadGateway, answer.StatusCode);
        Assert.Contains("detail=not-a-job", JobTests.CacheStatus(answer), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(404, "finished-1", 60)]
    [InlineData(410, "finished-1", 60)]
    [InlineData(451, "finished-1", 60)]
    [InlineData(404, "finished-1.signed-30", 30)]
    [InlineData(404, "finished-1.signed-0", 2)]
    public async Task A_final_job_that_is_gone_is_no_longer_served(int status, string job, int lifetime)
    {
        await using var world = await World.StopClockAsync(("Jobs:FinishedLifetime", "00:01:00"));
        using var final = await world.GetAsync(job);
        world.Clock!.Advance(TimeSpan.FromSeconds(lifetime));
        Respond(world, status, """{"error":{"code":"GONE","message":"deleted"}}""");

        using var gone = await world.GetAsync(job);
        using var hit = await world.GetAsync(job);
        Assert.Equal(2, world.Upstream.Ledger.Total);
        Respond(world, 500, "{}");
        world.Clock!.Advance(TimeSpan.FromSeconds(1));
        using var failing = await world.GetAsync(job);

        Assert.Equal(HttpStatusCode.OK, final.StatusCode);
        Assert.All([gone, hit], answer => Assert.Equal(status, (int)answer.StatusCode));
        Assert.Equal("GONE", (await BoundTests.ProblemAsync(gone)).GetProperty("error").GetProperty("code")
            .GetString());
        Assert.Equal(HttpStatusCode.BadGateway, failing.StatusCode);
    }

    [Fact]
    public async Task A_final_job_that_is_gone_is_no_longer_served_if_404_is_not_cached()
    {
        await using var world = await World.StopClockAsync(
            ("Jobs:FinishedLifetime", "00:01:00"), ("Jobs:NotFoundLifetime", "00:00:00"));
        using var final = await world.GetAsync("finished-1");
        world.Clock!.Advance(TimeSpan.FromSeconds(60));
        Respond(world, 404, "{}");
        using var gone = await world.GetAsync("finished-1");
        Respond(world, 500, "{}");

        using var failing = await world.GetAsync("finished-1");

        Assert.Equal(HttpStatusCode.NotFound, gone.StatusCode);
        Assert.Equal(HttpStatusCode.BadGateway, failing.StatusCode);
    }

    [Fact]
    public async Task A_final_job_with_an_expired_url_costs_as_many_calls_as_a_running_job()
    {
        await using var world = await World.StopClockAsync();
        for (var read = 0; read < 100; read++)
        {
            using var answer = await world.GetAsync("finished-1.signed-0");
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            world.Clock!.Advance(TimeSpan.FromMilliseconds(100));
        }
        Assert.InRange(world.Upstream.Ledger.Total, 1, 5);
        world.Upstream.Faults.Add(new Fault { Kind = FaultKind.Status, Status = 500 });
        world.Clock!.Advance(TimeSpan.FromSeconds(60));

        using var stale = await world.GetAsync("finished-1.signed-0");

        Assert.Equal(HttpStatusCode.OK, stale.StatusCode);
        Assert.Contains("detail=upstream-500", JobTests.CacheStatus(stale), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_final_job_that_runs_again_costs_as_many_calls_as_a_running_job()
    {
        await using var world = await World.StopClockAsync();
        using var final = await world.GetAsync("finished-1.signed-0");
        world.Clock!.Advance(TimeSpan.FromSeconds(2));
        Respond(world, 200, """{"id":"finished-1.signed-0","workflow_id":"survey-1","status":"running"}""");
        for (var read = 0; read < 100; read++)
        {
            using var answer = await world.GetAsync("finished-1.signed-0");
            Assert.Equal(final.Headers.ETag, answer.Headers.ETag);
            world.Clock!.Advance(TimeSpan.FromMilliseconds(100));
        }
        Assert.InRange(world.Upstream.Ledger.Total, 2, 7);
    }

    [Theory]
    [InlineData("completed", "\"\"", 8)]
    [InlineData("failed", "null", 8)]
    [InlineData("completed", "\"0001-01-01T00:00:00Z\"", 8)]
    [InlineData("completed", "\"1970-01-01T00:00:00Z\"", 8)]
    [InlineData("completed", "\"9999-12-31T23:59:59Z\"", 8)]
    [InlineData("completed", "\"0000-00-00 00:00:00\"", 8)]
    [InlineData("completed", "\"null\"", 8)]
    [InlineData("completed", "\"none\"", 8)]
    [InlineData("completed", "\"-\"", 8)]
    [InlineData("completed", "\"n/a\"", 8)]
    [InlineData("archived", "\"2026-01-01T00:00:00Z\"", 8)]
    [InlineData("archived", "\"\"", 30)]
    [InlineData("running", "\"2026-01-01T00:00:00Z\"", 30)]
    public async Task A_job_that_may_have_ended_is_fetched_less_and_less_often(string status, string end, int calls)
    {
        await using var world = await World.StopClockAsync();
        Respond(world, 200, Job(status, end));
        // At 0, 2, 4, 8, 16, 32, 64 and 128 s, or every two seconds.
        Assert.Equal(calls, await CallsAsync(world, seconds: calls == 30 ? 60 : 240));
    }

    [Fact]
    public async Task The_age_of_unchanged_bytes_is_kept_while_the_job_is_requested()
    {
        await using var world = await World.StopClockAsync(("Jobs:StaleIfError", "00:00:00"));
        Respond(world, 200, Job("completed", "\"\""));
        // After 2 hours the job is fetched once an hour: 0, 2, 4, ..., 4096 s, and four times more.
        Assert.InRange(await CallsAsync(world, seconds: 6 * 3600, every: 30), 13, 18);
        Respond(world, 200, Job("completed", "null"));
        world.Clock!.Advance(TimeSpan.FromHours(1));
        Assert.Equal(5, await CallsAsync(world, seconds: 20));
    }

    [Fact]
    public async Task An_end_time_slightly_in_the_future_does_not_cause_endless_fetches()
    {
        await using var world = await World.StopClockAsync();
        Respond(world, 200, Job("completed", $"\"{world.Clock!.GetUtcNow().AddSeconds(60):O}\""));
        // At 0, 2, 4, 8, 16 and 32 s: the job had ended by the time these bytes were first seen, regardless of the
        // upstream's clock.
        Assert.Equal(6, await CallsAsync(world, seconds: 600));
    }

    private static void Respond(World world, int status, string body)
    {
        world.Upstream.Faults.Clear();
        world.Upstream.Faults.Add(new Fault { Kind = FaultKind.Status, Status = status, Body = body });
    }

    private static string Job(string status, string end) =>
        $$"""{"id":"j","workflow_id":"w","status":"{{status}}","finished_at":{{end}}}""";

    private static async Task<int> CallsAsync(World world, int seconds, int every = 1)
    {
        world.Upstream.Ledger.Clear();
        for (var second = 0; second < seconds; second += every)
        {
            using var answer = await world.GetAsync("j", "w");
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            world.Clock!.Advance(TimeSpan.FromSeconds(every));
        }
        return world.Upstream.Ledger.Total;
    }

    /// <summary>An upstream that sends the same gzip-encoded answer to every request.</summary>
    private sealed class EncodingUpstream(WebApplication app) : IAsyncDisposable
    {
        public string Address => app.Urls.First();

        public static async Task<EncodingUpstream> StartAsync(int status, string body)
        {
            var compressed = new MemoryStream();
            using (var gzip = new GZipStream(compressed, CompressionMode.Compress))
                gzip.Write(Encoding.UTF8.GetBytes(body));
            var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
            builder.WebHost.UseKestrelCore().UseUrls("http://127.0.0.1:0");
            var app = builder.Build();
            app.Run(http =>
            {
                http.Response.StatusCode = status;
                http.Response.Headers.ContentEncoding = "gzip";
                http.Response.ContentType = "application/json";
                return http.Response.Body.WriteAsync(compressed.ToArray()).AsTask();
            });
            await app.StartAsync(World.Cancellation);
            return new EncodingUpstream(app);
        }

        public async ValueTask DisposeAsync() => await app.DisposeAsync();
    }
}

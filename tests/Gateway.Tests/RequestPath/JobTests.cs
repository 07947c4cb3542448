using System.IO.Compression;
using System.Net;
using System.Text;
using CsCheck;
using Gateway.Tests.Infrastructure;
using Simulator;

namespace Gateway.Tests.RequestPath;

public sealed class JobTests
{
    [Fact]
    public async Task A_finished_job_is_fetched_once_and_then_served_from_memory()
    {
        await using var world = await World.StartAsync();

        using var first = await world.GetAsync("finished-1");
        using var second = await world.GetAsync("finished-1");

        Assert.Equal("Gateway; fwd=uri-miss; fwd-status=200; stored", CacheStatus(first));
        Assert.StartsWith("Gateway; hit; ttl=25919", CacheStatus(second), StringComparison.Ordinal);
        Assert.Null(first.Headers.Age);
        Assert.NotNull(second.Headers.Age);
        Assert.Equal("max-age=300, private", second.Headers.CacheControl!.ToString());
        Assert.Equal(1, world.Upstream.Ledger.Total);
    }

    [Fact]
    public async Task A_browser_may_reuse_a_finished_job_of_any_age_for_five_minutes()
    {
        await using var world = await World.StopClockAsync();
        using var first = await world.GetAsync("finished-1");
        world.Clock!.Advance(TimeSpan.FromMinutes(10));
        using var later = await world.GetAsync("finished-1");
        world.Clock!.Advance(TimeSpan.FromDays(30) - TimeSpan.FromMinutes(10) - TimeSpan.FromSeconds(50));
        using var last = await world.GetAsync("finished-1");
        Assert.All([(first, 300), (later, 300), (last, 50)], answer =>
            Assert.Equal(TimeSpan.FromSeconds(answer.Item2),
                answer.Item1.Headers.CacheControl!.MaxAge - (answer.Item1.Headers.Age ?? TimeSpan.Zero)));
    }

    [Theory]
    [InlineData("finished-1")]
    [InlineData("finished-1.raw-ints")]
    [InlineData("finished-1.raw-object")]
    [InlineData("finished-1.raw-objects")]
    [InlineData("finished-1.raw-base64")]
    [InlineData("finished-1.raw-null")]
    [InlineData("finished-1.large")]
    [InlineData("finished-1.time-offset")]
    [InlineData("finished-1.time-fraction")]
    [InlineData("finished-1.time-space")]
    [InlineData("finished-1.status-FULFILLED")]
    [InlineData("fail-1")]
    [InlineData("cancel-1")]
    [InlineData("finished-1.nameless")]
    public async Task The_body_is_served_exactly_as_the_upstream_sent_it(string job)
    {
        await using var world = await World.StopClockAsync();
        var sent = await world.UpstreamBytesAsync(job);

        using var miss = await world.GetAsync(job);
        using var hit = await world.GetAsync(job);

        Assert.Equal(sent, await miss.Content.ReadAsByteArrayAsync(World.Cancellation));
        Assert.Equal(sent, await hit.Content.ReadAsByteArrayAsync(World.Cancellation));
        Assert.Contains("hit", CacheStatus(hit), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Any_JSON_body_is_served_byte_for_byte_in_every_coding()
    {
        await using var world = await World.StartAsync(("Jobs:RunningLifetime", "00:00:00"));
        var spaces = Gen.OneOf("", " ", "\n", "\t  ", "\r\n");
        var text = Gen.OneOf(Gen.String.Select(s => System.Text.Json.JsonSerializer.Serialize(s)),
            Gen.OneOf("\"\\ud800\"", "\"\\u0000\"", "\"é\"", "\"\U0001F6F0\"", "\"\\/\"", "\"\\\"\"",
                "\"https://h/?a=b\""));
        var scalar = Gen.OneOf(text, Gen.Double.Where(double.IsFinite)
            .Select(d => System.Text.Json.JsonSerializer.Serialize(d)),
            Gen.OneOf("null", "true", "1e400", "-0", "0.10", "12345678901234567890123"));
        var value = Gen.Recursive<string>((depth, inner) => depth > 4 ? scalar : Gen.OneOf(scalar,
            Gen.Select(spaces, inner.Array[0, 4], (s, items) => $"[{s}{string.Join("," + s, items)}{s}]"),
            Gen.Select(spaces, inner.Array[0, 4], (s, items) =>
                $"{{{s}{string.Join("," + s, items.Select((v, i) => $"\"k{i % 3}\"{s}:{v}"))}}}")));
        var body = Gen.Select(spaces, value.Array[0, 6], (s, values) =>
            $"{s}{{{s}\"status\":{s}\"running\"{string.Concat(values.Select((v, i) => $",{s}\"f{i}\":{v}"))}{s}}}{s}");

        await body.SampleAsync(async json =>
        {
            world.Upstream.Faults.Clear();
            world.Upstream.Faults.Add(new Fault { Kind = FaultKind.Status, Status = 200, Body = json });
            foreach (var coding in (string[])["identity", "gzip", "br"])
            {
                using var answer = await world.GetAsync("any", headers: ("Accept-Encoding", coding));
                Assert.Equal(json, Encoding.UTF8.GetString(await DecodedAsync(answer)));
            }
        }, iter: 200, threads: 1);
    }

    [Theory]
    [InlineData("br", "br")]
    [InlineData("gzip, deflate, br", "br")]
    [InlineData("gzip", "gzip")]
    [InlineData("br;q=0, gzip", "gzip")]
    [InlineData("br;q=0.1, gzip;q=0.9", "gzip")]
    [InlineData("*", "br")]
    [InlineData("identity", null)]
    [InlineData("zstd", null)]
    [InlineData("gzip;q=0", null)]
    public async Task Each_coding_has_its_own_strong_entity_tag(string accepted, string? chosen)
    {
        await using var world = await World.StartAsync();
        using var identity = await world.GetAsync("finished-1");

        using var answer = await world.GetAsync("finished-1", headers: ("Accept-Encoding", accepted));

        Assert.Equal(chosen, answer.Content.Headers.ContentEncoding.SingleOrDefault());
        Assert.Equal(chosen is null, identity.Headers.ETag!.Equals(answer.Headers.ETag));
        Assert.False(answer.Headers.ETag!.IsWeak);
        Assert.Equal(await identity.Content.ReadAsByteArrayAsync(World.Cancellation), await DecodedAsync(answer));
        Assert.Equal("Authorization, X-Api-Key, Cookie, X-CSRF, Origin, Accept-Encoding",
            string.Join(", ", answer.Headers.Vary));
    }

    [Fact]
    public async Task A_304_is_sent_for_hits_and_misses_with_the_headers_of_a_200()
    {
        await using var world = await World.StopClockAsync();
        using var known = await world.GetAsync("run-30");
        var etag = known.Headers.ETag!.ToString();
        using var hit = await world.GetAsync("run-30", headers: ("If-None-Match", etag));
        world.Upstream.Faults.Add(
            new Fault
            {
                Kind = FaultKind.Status,
                Status = 200,
                Body = Encoding.UTF8.GetString(await known.Content.ReadAsByteArrayAsync(World.Cancellation))
            });
        world.Clock!.Advance(TimeSpan.FromSeconds(3));

        using var miss = await world.GetAsync("run-30", headers: ("If-None-Match", $"\"other\", W/{etag}"));

        foreach (var answer in (HttpResponseMessage[])[hit, miss])
        {
            Assert.Equal(HttpStatusCode.NotModified, answer.StatusCode);
            Assert.Equal(etag, answer.Headers.ETag!.ToString());
            Assert.NotNull(answer.Headers.CacheControl);
            Assert.NotEmpty(answer.Headers.Vary);
            Assert.True(answer.Headers.Contains("RateLimit"));
            Assert.Empty(await answer.Content.ReadAsByteArrayAsync(World.Cancellation));
        }
        Assert.Contains("fwd=stale", CacheStatus(miss), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("W/\"{0}\"")]
    [InlineData("\"{0}-gzip\"")]
    [InlineData("\"{0}--gzip\"")]
    [InlineData("\"{0};gzip\"")]
    [InlineData("W/\"{0}-br\"")]
    [InlineData("\"other\", \"{0};gz\"")]
    [InlineData("*")]
    public async Task An_entity_tag_changed_by_a_proxy_matches_and_the_304_has_the_original(string form)
    {
        await using var world = await World.StartAsync();
        foreach (var coding in (string[])["identity", "gzip", "br"])
        {
            using var known = await world.GetAsync("finished-1", headers: ("Accept-Encoding", coding));
            var etag = known.Headers.ETag!.Tag;
            var changed = form.Replace("{0}", etag.Trim('"'), StringComparison.Ordinal);

            (string, string)[] headers = [("Accept-Encoding", coding), ("If-None-Match", changed)];
            using var answer = await world.GetAsync("finished-1", headers: headers);
            using var another = await world.GetAsync("finished-2", headers: headers);

            Assert.Equal((HttpStatusCode.NotModified, etag), (answer.StatusCode, answer.Headers.ETag!.ToString()));
            Assert.Equal(form == "*" ? HttpStatusCode.NotModified : HttpStatusCode.OK, another.StatusCode);
        }
    }

    [Fact]
    public async Task HEAD_answers_like_GET_without_the_body()
    {
        await using var world = await World.StartAsync();
        using var get = await world.GetAsync("finished-1");
        using var client = world.Gateway.Client(("X-Api-Key", World.MappingKey));

        using var head = await client.SendAsync(
            new HttpRequestMessage(HttpMethod.Head, "v0/workflows/survey-1/jobs/finished-1"), World.Cancellation);

        Assert.Equal(HttpStatusCode.OK, head.StatusCode);
        Assert.Equal(get.Headers.ETag, head.Headers.ETag);
        Assert.Equal(get.Content.Headers.ContentLength, head.Content.Headers.ContentLength);
    }

    [Fact]
    public async Task A_running_job_changes_its_entity_tag_and_is_cached_once_finished()
    {
        await using var world = await World.StopClockAsync();
        var etags = new HashSet<string>();
        for (var second = 0; second <= 65; second += 5)
        {
            using var answer = await world.GetAsync("run-30");
            etags.Add(answer.Headers.ETag!.ToString());
            // The job ends at 30 s.
            Assert.Equal(second < 30, answer.Headers.RetryAfter is not null);
            world.Clock!.Advance(TimeSpan.FromSeconds(5));
        }
        Assert.True(etags.Count >= 5, $"{etags.Count} etags");
        var calls = world.Upstream.Ledger.Total;
        world.Clock!.Advance(TimeSpan.FromDays(29));

        using var finished = await world.GetAsync("run-30");

        Assert.Contains("hit", CacheStatus(finished), StringComparison.Ordinal);
        Assert.Equal(calls, world.Upstream.Ledger.Total);
    }

    [Fact]
    public async Task Polls_within_the_running_lifetime_cost_one_call()
    {
        await using var world = await World.StopClockAsync();
        for (var poll = 0; poll < 20; poll++)
        {
            using var answer = await world.GetAsync("run-300");
            world.Clock!.Advance(TimeSpan.FromMilliseconds(99));
        }
        Assert.Equal(1, world.Upstream.Ledger.Total);
    }

    [Fact]
    public async Task A_job_that_was_just_created_is_404_briefly_and_then_found()
    {
        await using var world = await World.StopClockAsync();
        using var unknown = await world.GetAsync("late-1");
        using var still = await world.GetAsync("late-1");
        world.Clock!.Advance(TimeSpan.FromSeconds(1.5));

        using var known = await world.GetAsync("late-1");

        Assert.Equal(HttpStatusCode.NotFound, unknown.StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, still.StatusCode);
        Assert.Contains("hit", CacheStatus(still), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.OK, known.StatusCode);
        Assert.Equal(2, world.Upstream.Ledger.Total);
    }

    [Theory]
    [InlineData("")]
    [InlineData(".escaped")]
    [InlineData(".raw-base64")]
    [InlineData(".raw-ints")]
    [InlineData(".raw-objects")]
    public async Task A_signed_url_limits_how_long_clients_and_the_gateway_cache_a_job(string form)
    {
        await using var world = await World.StopClockAsync();
        using var first = await world.GetAsync($"finished-1.signed-60{form}");
        Assert.InRange(first.Headers.CacheControl!.MaxAge!.Value.TotalSeconds, 50, 60);
        world.Clock!.Advance(TimeSpan.FromSeconds(61));

        using var second = await world.GetAsync($"finished-1.signed-60{form}");

        Assert.Contains("fwd=", CacheStatus(second), StringComparison.Ordinal);
        Assert.Equal(2, world.Upstream.Ledger.Total);
    }

    [Fact]
    public async Task The_query_string_is_not_forwarded_and_not_part_of_the_cache_key()
    {
        await using var world = await World.StartAsync();
        using var first = await world.GetAsync("finished-1?a=1");
        using var second = await world.GetAsync("finished-1?b=2");
        Assert.Equal(1, world.Upstream.Ledger.Total);
    }

    internal static string CacheStatus(HttpResponseMessage answer) =>
        string.Join(", ", answer.Headers.GetValues("Cache-Status"));

    private static async Task<byte[]> DecodedAsync(HttpResponseMessage answer)
    {
        var stream = await answer.Content.ReadAsStreamAsync(World.Cancellation);
        await using Stream decoded = answer.Content.Headers.ContentEncoding.SingleOrDefault() switch
        {
            "br" => new BrotliStream(stream, CompressionMode.Decompress),
            "gzip" => new GZipStream(stream, CompressionMode.Decompress),
            _ => stream,
        };
        var plain = new MemoryStream();
        await decoded.CopyToAsync(plain, World.Cancellation);
        return plain.ToArray();
    }
}

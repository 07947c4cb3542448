using System.Globalization;
using System.Text;
using CsCheck;
using Gateway.Jobs;
using Gateway.Upstream;

namespace Gateway.Tests.Jobs;

[Trait("Kind", "Unit")]
public sealed class FreshnessTests
{
    private static readonly DateTimeOffset Now = new(2026, 6, 1, 12, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData("\"completed\"", "\"2026-06-01T11:00:00Z\"", nameof(VerdictKind.Finished))]
    [InlineData("\"COMPLETED\"", "\"2026-06-01 11:00:00\"", nameof(VerdictKind.Finished))]
    [InlineData("\"Succeeded\"", "\"2026-06-01T11:00:00+00:00\"", nameof(VerdictKind.Finished))]
    [InlineData("\" FULFILLED \"", "1780311600", nameof(VerdictKind.Finished))]
    [InlineData("\"success\"", "\"1780311600000\"", nameof(VerdictKind.Finished))]
    [InlineData("\"failed\"", "\"2026-06-01T11:00:00Z\"", nameof(VerdictKind.Failed))]
    [InlineData("\"Error\"", "\"2026-06-01T11:00:00Z\"", nameof(VerdictKind.Failed))]
    [InlineData("\"CANCELLED\"", "\"2026-06-01T11:00:00Z\"", nameof(VerdictKind.Failed))]
    [InlineData("\"EXPIRED\"", "\"2026-06-01T11:00:00Z\"", nameof(VerdictKind.Failed))]
    [InlineData("\"completed\"", "\"\"", nameof(VerdictKind.Running))]
    [InlineData("\"completed\"", "\"  \"", nameof(VerdictKind.Running))]
    [InlineData("\"completed\"", "null", nameof(VerdictKind.Running))]
    [InlineData("\"completed\"", "\"0001-01-01T00:00:00Z\"", nameof(VerdictKind.Running))]
    [InlineData("\"completed\"", "\"1970-01-01T00:00:00Z\"", nameof(VerdictKind.Running))]
    [InlineData("\"completed\"", "\"9999-12-31T23:59:59Z\"", nameof(VerdictKind.Running))]
    [InlineData("\"completed\"", "\"2026-06-01T13:00:00Z\"", nameof(VerdictKind.Running))]
    [InlineData("\"completed\"", "\"x\"", nameof(VerdictKind.Running))]
    [InlineData("\"completed\"", "0", nameof(VerdictKind.Running))]
    [InlineData("\"completed\"", "{}", nameof(VerdictKind.Running))]
    [InlineData("\"failed\"", "\"\"", nameof(VerdictKind.Running))]
    [InlineData("\"failed\"", "\"-\"", nameof(VerdictKind.Running))]
    [InlineData("\"perfected\"", "\"2026-06-01T11:00:00Z\"", nameof(VerdictKind.Running))]
    [InlineData("\"perfected\"", "\"x\"", nameof(VerdictKind.Running))]
    [InlineData("\"perfected\"", "\"\"", nameof(VerdictKind.Running))]
    [InlineData("\"running\"", "\"2026-06-01T11:00:00Z\"", nameof(VerdictKind.Running))]
    [InlineData("\"queued\"", "\"\"", nameof(VerdictKind.Running))]
    [InlineData("null", "\"2026-06-01T11:00:00Z\"", nameof(VerdictKind.Running))]
    [InlineData("\" \"", "\"2026-06-01T11:00:00Z\"", nameof(VerdictKind.Running))]
    public void A_job_is_final_only_with_a_final_status_and_an_end_time(string status, string finishedAt, string kind)
    {
        var verdict = Classify(
            $$"""{"id":"j","workflow_id":"w","progress":"100","status":{{status}},"finished_at":{{finishedAt}}}""");

        Assert.Equal(kind, verdict.Kind.ToString());
        Assert.Equal(
            kind switch
            {
                "Finished" => TimeSpan.FromDays(30),
                "Failed" => TimeSpan.FromHours(1),
                _ => TimeSpan.FromSeconds(2)
            }, verdict.Lifetime);
    }

    [Theory]
    // Columns: seconds since the end, and the lifetime.
    [InlineData("completed", 0, nameof(VerdictKind.Settling), 2)]
    [InlineData("completed", 1.5, nameof(VerdictKind.Settling), 2)]
    [InlineData("completed", 2, nameof(VerdictKind.Settling), 2)]
    [InlineData("completed", 16, nameof(VerdictKind.Settling), 16)]
    [InlineData("completed", 29.5, nameof(VerdictKind.Settling), 29.5)]
    [InlineData("completed", 30, nameof(VerdictKind.Finished), 30 * 86400)]
    [InlineData("completed", 86400 * 400, nameof(VerdictKind.Finished), 30 * 86400)]
    [InlineData("failed", 0, nameof(VerdictKind.Failed), 2)]
    [InlineData("failed", 30, nameof(VerdictKind.Failed), 30)]
    [InlineData("failed", 3599, nameof(VerdictKind.Failed), 3599)]
    [InlineData("failed", 3601, nameof(VerdictKind.Failed), 3600)]
    [InlineData("cancelled", 86400 * 400, nameof(VerdictKind.Failed), 3600)]
    // The upstream's clock is ahead.
    [InlineData("completed", -20, nameof(VerdictKind.Settling), 2)]
    [InlineData("failed", -300, nameof(VerdictKind.Failed), 2)]
    // The status is not a final one.
    [InlineData("completed", -301, nameof(VerdictKind.Running), 2)]
    [InlineData("failed", -301, nameof(VerdictKind.Running), 2)]
    public void The_lifetime_of_an_ended_job_equals_the_time_since_its_end(
        string status, double sinceEnd, string kind, double lifetime) =>
        Assert.Equal((Enum.Parse<VerdictKind>(kind), TimeSpan.FromSeconds(lifetime)),
            Kept(Classify(Ended(status, sinceEnd))));

    [Theory]
    // Columns: seconds since the end, seconds since these bytes were first seen, and the lifetime.
    [InlineData("completed", null, 0, nameof(VerdictKind.Running), 2)]
    [InlineData("completed", null, 8, nameof(VerdictKind.Running), 8)]
    [InlineData("completed", null, 3000, nameof(VerdictKind.Running), 3000)]
    [InlineData("completed", null, 86400, nameof(VerdictKind.Running), 3600)]
    [InlineData("failed", null, 8, nameof(VerdictKind.Running), 8)]
    [InlineData("archived", 86400, 0, nameof(VerdictKind.Running), 2)]
    [InlineData("archived", 86400, 64, nameof(VerdictKind.Running), 64)]
    [InlineData("archived", null, 64, nameof(VerdictKind.Running), 2)]
    [InlineData("running", 86400, 64, nameof(VerdictKind.Running), 2)]
    [InlineData("running", null, 64, nameof(VerdictKind.Running), 2)]
    // The job had ended by the time its end was first seen, regardless of the upstream's clock.
    [InlineData("completed", -20, 16, nameof(VerdictKind.Settling), 16)]
    [InlineData("completed", -20, 32, nameof(VerdictKind.Finished), 30 * 86400)]
    [InlineData("failed", -20, 64, nameof(VerdictKind.Failed), 64)]
    [InlineData("completed", -301, 64, nameof(VerdictKind.Running), 64)]
    // The bytes are from the future, because the clock was set back.
    [InlineData("completed", null, -3600, nameof(VerdictKind.Running), 2)]
    public void A_job_without_a_plausible_end_lives_as_long_as_its_bytes_were_unchanged(
        string status, int? sinceEnd, int seen, string kind, int lifetime)
    {
        var body = sinceEnd is { } end ? Ended(status, end)
            : $$"""{"id":"j","workflow_id":"w","status":"{{status}}","finished_at":""}""";
        Assert.Equal((Enum.Parse<VerdictKind>(kind), TimeSpan.FromSeconds(lifetime)),
            Kept(Classify(body, firstSeen: Now.AddSeconds(-seen))));
    }

    [Theory]
    [InlineData(200, "running", null, 2)]
    [InlineData(202, "running", null, 2)]
    [InlineData(202, "completed", null, 2)]
    [InlineData(202, "failed", null, 2)]
    [InlineData(200, "running", 1.0, 2)]
    [InlineData(200, "running", 20.0, 20)]
    [InlineData(202, "completed", 20.0, 20)]
    [InlineData(200, "running", 300.0, 30)]
    [InlineData(200, "running", -5.0, 2)]
    public void A_running_job_lives_until_the_upstreams_Retry_After(
        int status, string word, double? retryAfter, int lifetime)
    {
        var answer = new UpstreamAnswer(status, Encoding.UTF8.GetBytes(Final(word)), retryAfter is { } seconds
            ? TimeSpan.FromSeconds(seconds) : null, UpstreamFault.None);
        var verdict = UpstreamVerdict.Of(answer, Address, new JobsOptions(), Now, Now);
        Assert.Equal((VerdictKind.Running, TimeSpan.FromSeconds(lifetime)), Kept(verdict));
        Assert.Equal(retryAfter > 0 ? Now.AddSeconds(retryAfter.Value) : null, verdict.AskAgainAt);
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("{}")]
    public void A_202_without_a_job_is_invalid(string body)
    {
        var answer = new UpstreamAnswer(202, Encoding.UTF8.GetBytes(body), TimeSpan.FromSeconds(5), UpstreamFault.None);
        var verdict = UpstreamVerdict.Of(answer, Address, new JobsOptions(), Now, Now);
        Assert.Equal((VerdictKind.Invalid, TimeSpan.Zero, "not-a-job"),
            (verdict.Kind, verdict.Lifetime, verdict.Detail));
    }

    [Fact]
    public void A_Retry_After_does_not_extend_the_lifetime_of_an_ended_job()
    {
        var answer = new UpstreamAnswer(
            200, Encoding.UTF8.GetBytes(Ended("completed", 4)), TimeSpan.FromSeconds(20), UpstreamFault.None);
        Assert.Equal((VerdictKind.Settling, TimeSpan.FromSeconds(4)),
            Kept(UpstreamVerdict.Of(answer, Address, new JobsOptions(), Now, Now)));
    }

    [Theory]
    // Columns: when the URLs expire, how long these bytes have been seen, and the lifetime.
    [InlineData("60", 0, 60)]
    [InlineData("60 90", 0, 60)]
    [InlineData("1", 0, 2)]
    [InlineData("-60", 0, 2)]
    [InlineData("-60", 8, 8)]
    [InlineData("-60", 86400, 3600)]
    [InlineData("-60 90", 0, 2)]
    [InlineData("-60 90", 60, 60)]
    [InlineData("-60 90", 600, 90)]
    public void A_job_lives_until_its_urls_expire_and_at_least_as_long_as_a_running_job(
        string expiries, int seen, int lifetime)
    {
        var now = Now.ToUnixTimeSeconds();
        var urls = expiries.Split(' ').Select(seconds => now + int.Parse(seconds, CultureInfo.InvariantCulture))
            .Select(expiry => $"https://h/k?Signature=ab&Expires={expiry}");
        var body = Final("completed")
            .Replace("\"id\"", $"\"urls\":\"{string.Join(' ', urls)}\",\"id\"", StringComparison.Ordinal);
        Assert.Equal((VerdictKind.Finished, TimeSpan.FromSeconds(lifetime)),
            Kept(Classify(body, firstSeen: Now.AddSeconds(-seen))));
    }

    [Theory]
    [InlineData("")]
    [InlineData("\"id\":\"j\",")]
    [InlineData("\"workflow_id\":\"w\",")]
    [InlineData("\"id\":null,\"workflow_id\":\"w\",")]
    public void A_job_without_both_ids_lives_no_longer_than_a_running_job(string names) =>
        Assert.Equal((VerdictKind.Running, TimeSpan.FromSeconds(2)),
            Kept(Classify($$"""{{{names}}"status":"completed","finished_at":"2026-06-01T11:00:00Z"}""")));

    [Theory]
    [InlineData("""{"id":"other","workflow_id":"w"}""", "wrong-id")]
    [InlineData("""{"id":"J","workflow_id":"w"}""", "wrong-id")]
    [InlineData("""{"id":{},"workflow_id":"w"}""", "wrong-id")]
    [InlineData("""{"id":"j","workflow_id":"other"}""", "wrong-workflow-id")]
    [InlineData("""{"id":"j","workflow_id":"w","id":"other"}""", "wrong-id")]
    [InlineData("""{"\u0069d":"other"}""", "wrong-id")]
    [InlineData("[]", "not-a-job")]
    [InlineData("null", "not-a-job")]
    [InlineData("", "not-a-job")]
    [InlineData("<html>", "not-a-job")]
    [InlineData("""{"id":"j","workflow_id":"w"}{}""", "not-a-job")]
    [InlineData("""{"id":"j",}""", "not-a-job")]
    [InlineData("{}", "not-a-job")]
    [InlineData(" ", "not-a-job")]
    [InlineData("""{"error":{"code":"NOT_FOUND"}}""", "not-a-job")]
    [InlineData("""{"status":404,"error":"Not Found"}""", "not-a-job")]
    public void A_body_that_is_not_the_requested_job_is_invalid(string body, string reason)
    {
        var verdict = Classify(body);
        Assert.Equal((VerdictKind.Invalid, TimeSpan.Zero, reason, false),
            (verdict.Kind, verdict.Lifetime, verdict.Detail, verdict.MayServeStale));
    }

    [Theory]
    [InlineData(404, nameof(VerdictKind.NotFound), 1, false)]
    [InlineData(410, nameof(VerdictKind.Gone), 1, false)]
    [InlineData(451, nameof(VerdictKind.Legal), 1, false)]
    [InlineData(205, nameof(VerdictKind.Invalid), 0, false)]
    [InlineData(400, nameof(VerdictKind.BadRequest), 0, false)]
    [InlineData(401, nameof(VerdictKind.CredentialRefused), 0, false)]
    [InlineData(403, nameof(VerdictKind.Forbidden), 0, false)]
    [InlineData(204, nameof(VerdictKind.Invalid), 0, false)]
    [InlineData(301, nameof(VerdictKind.Invalid), 0, false)]
    [InlineData(429, nameof(VerdictKind.Busy), 0, true)]
    [InlineData(500, nameof(VerdictKind.Broken), 0, true)]
    [InlineData(502, nameof(VerdictKind.Broken), 0, true)]
    [InlineData(503, nameof(VerdictKind.Unavailable), 0, true)]
    [InlineData(504, nameof(VerdictKind.TimedOut), 0, true)]
    public void Each_upstream_status_has_its_verdict(int status, string kind, int seconds, bool mayServeStale)
    {
        var verdict = UpstreamVerdict.Of(
            new UpstreamAnswer(status, [], null, UpstreamFault.None), Address, new JobsOptions(), Now, Now);
        Assert.Equal((kind, TimeSpan.FromSeconds(seconds), mayServeStale),
            (verdict.Kind.ToString(), verdict.Lifetime, verdict.MayServeStale));
    }

    [Theory]
    [InlineData(
        "https://b.s3.amazonaws.com/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20260601T115900Z"
        + "&X-Amz-Expires=120&X-Amz-Signature=ab", 60)]
    [InlineData("https://b.s3.amazonaws.com/k?AWSAccessKeyId=A&Signature=ab&Expires=1780315260", 60)]
    [InlineData("https://d.cloudfront.net/k?Expires=1780315260&Signature=ab&Key-Pair-Id=K", 60)]
    [InlineData(
        "https://d.cloudfront.net/k?Policy=eyJTdGF0ZW1lbnQiOlt7IlJlc291cmNl"
        + "IjoiaCIsIkNvbmRpdGlvbiI6eyJEYXRlTGVzc1RoYW4iOnsiQVdTOkVwb2NoVGltZSI6MTc4MDMxNTI2MH19fV19"
        + "&Signature=ab&Key-Pair-Id=K", 60)]
    [InlineData(
        "https://storage.googleapis.com/b/k?X-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-Date=20260601T115900Z"
        + "&X-Goog-Expires=120&X-Goog-Signature=ab", 60)]
    [InlineData("https://a.blob.core.windows.net/c/k?sv=2024-01-01&se=2026-06-01T12%3A01%3A00Z&sr=b&sig=ab%3D", 60)]
    [InlineData(
        "see https://h/k?X-Amz-Date=20260601T115900Z&X-Amz-Expires=120&X-Amz-Signature=ab and "
        + "https://h/l?X-Amz-Date=20260601T115900Z&X-Amz-Expires=90&X-Amz-Signature=ab", 30)]
    [InlineData("https://h/k?X-Amz-Date=20260601T110000Z&X-Amz-Expires=60&X-Amz-Signature=ab", 2)]
    [InlineData("https://h/k?X-Amz-Date=99991231T235959Z&X-Amz-Expires=2147483647&X-Amz-Signature=ab", 2592000)]
    [InlineData(
        "https://h/k?X-Amz-Date=20260601T115900Z&X-Amz-Expires=604800&X-Amz-Security-Token=t&X-Amz-Signature=ab", 3540)]
    [InlineData("https://h/k?Expires=99999999999999999999&Signature=ab", 2592000)]
    [InlineData("https://h/k?page=2&Expires=1780315260", 2592000)]
    public void A_signed_url_limits_the_lifetime(string url, int seconds)
    {
        foreach (var form in (string[])[$"\"{url}\"",
            $"[{{\"href\":\"{url.Replace("&", "\\u0026", StringComparison.Ordinal)}\"}}]",
            $"\"{{\\\"href\\\":\\\"{url}\\\"}}\"",
            $"\"{{\\\"href\\\":\\\"{url.Replace("&", "\\\\u0026", StringComparison.Ordinal)}\\\"}}\"",
            $"\"{Base64($"{{\"href\":\"{url}\"}}")}\"", $"[{string.Join(',', Encoding.UTF8.GetBytes(url))}]"])
        {
            var verdict = Classify(
                $$"""
                {"id":"j","workflow_id":"w","status":"completed","finished_at":"2026-06-01T11:00:00Z",
                "tasks":[{"result":{{form}}}]}
                """);
            Assert.Equal((VerdictKind.Finished, TimeSpan.FromSeconds(seconds)), Kept(verdict));
        }
    }

    [Fact]
    public void A_long_string_of_question_marks_is_read_quickly()
    {
        var verdict =
            Classify($$"""{"id":"j","workflow_id":"w","status":"running","u":"{{new string('?', 4_000_000)}}"}""");
        Assert.Equal(VerdictKind.Running, verdict.Kind);
    }

    [Fact]
    public void The_start_date_of_a_CloudFront_policy_is_not_its_expiry()
    {
        var policy = Base64(
            """{"Statement":[{"Condition":{"DateLessThan":{"AWS:EpochTime":1780315260},"""
            + """ "DateGreaterThan":{"AWS:EpochTime":1}}}]}""");
        var url =
            $"https://d.cloudfront.net/k?Policy={policy.Replace('+', '-').Replace('=', '_').Replace('/', '~')}"
            + "&Signature=ab&Key-Pair-Id=K";
        var verdict = Classify(
            $$"""
            {"id":"j","workflow_id":"w","status":"completed","finished_at":"2026-06-01T11:00:00Z",
            "u":"{{url}}"}
            """);
        Assert.Equal((VerdictKind.Finished, TimeSpan.FromSeconds(60)), Kept(verdict));
    }

    [Theory]
    [InlineData("completed,success,succeeded,fulfilled", nameof(VerdictKind.Finished))]
    [InlineData("failed,failure,error,cancelled,canceled,expired", nameof(VerdictKind.Failed))]
    [InlineData("created,queued,inprogress,in_progress,running", nameof(VerdictKind.Running))]
    [InlineData("complete,done,partially_completed,not completed", nameof(VerdictKind.Running))]
    public void Status_words_are_compared_without_case(string words, string kind)
    {
        foreach (var word in words.Split(','))
        {
            foreach (var written in (
                string[])[word, word.ToUpperInvariant(), char.ToUpperInvariant(word[0]) + word[1..], $" {word}\\n"])
            {
                Assert.Equal((written, kind), (written, Classify(Final(written)).Kind.ToString()));
            }
        }
    }

    [Theory]
    [InlineData("completed")]
    [InlineData("failed")]
    public void A_final_status_without_finished_at_is_not_final(string status) => Assert.Equal(
        (VerdictKind.Running, TimeSpan.FromSeconds(2)),
        Kept(Classify($$"""{"id":"j","workflow_id":"w","progress":"100","status":"{{status}}"}""")));

    [Fact]
    public void A_finished_at_without_a_status_is_running() =>
        Assert.Equal(VerdictKind.Running,
            Classify("""{"id":"j","workflow_id":"w","progress":"100","finished_at":"2026-06-01T11:00:00Z"}""").Kind);

    [Fact]
    public void Finished_tasks_do_not_finish_the_job() => Assert.Equal(VerdictKind.Running,
        Classify(
            """
            {"id":"j","workflow_id":"w","status":"running","tasks":[{"status":"completed",
            "finished_at":"2026-06-01T11:00:00Z"}]}
            """).Kind);

    [Theory]
    [InlineData(nameof(UpstreamFault.NoCredential), 0, nameof(VerdictKind.Unavailable), "no-credential", true)]
    [InlineData(nameof(UpstreamFault.CircuitOpen), 0, nameof(VerdictKind.Unavailable), "circuit-open", true)]
    [InlineData(nameof(UpstreamFault.Unreachable), 0, nameof(VerdictKind.Broken), "upstream-unreachable", true)]
    [InlineData(nameof(UpstreamFault.TimedOut), 0, nameof(VerdictKind.TimedOut), "upstream-timeout", true)]
    [InlineData(nameof(UpstreamFault.TimedOut), 200, nameof(VerdictKind.TimedOut), "upstream-timeout", true)]
    [InlineData(nameof(UpstreamFault.CutShort), 200, nameof(VerdictKind.Invalid), "cut-short", false)]
    [InlineData(nameof(UpstreamFault.CutShort), 503, nameof(VerdictKind.Unavailable), "upstream-503", true)]
    [InlineData(nameof(UpstreamFault.CutShort), 403, nameof(VerdictKind.Forbidden), "", false)]
    [InlineData(nameof(UpstreamFault.TooLarge), 200, nameof(VerdictKind.Invalid), "too-large", false)]
    [InlineData(nameof(UpstreamFault.EchoedCredential), 200, nameof(VerdictKind.Invalid), "credential-echoed", false)]
    public void Each_fault_has_its_verdict_and_no_lifetime(
        string fault, int status, string kind, string detail, bool mayServeStale)
    {
        var answer = UpstreamAnswer.Failed(Enum.Parse<UpstreamFault>(fault), status);
        var verdict = UpstreamVerdict.Of(answer, Address, new JobsOptions(), Now, Now);
        Assert.Equal((kind, TimeSpan.Zero, detail, mayServeStale),
            (verdict.Kind.ToString(), verdict.Lifetime, verdict.Detail, verdict.MayServeStale));
    }

    [Fact]
    public void Nothing_but_a_200_or_202_is_a_job() => Gen.Int[100, 999].Where(status => status is not (200 or 202))
        .Sample(status =>
    {
        var answer = new UpstreamAnswer(status, Encoding.UTF8.GetBytes(Final("completed")), null, UpstreamFault.None);
        var verdict = UpstreamVerdict.Of(answer, Address, new JobsOptions(), Now, Now);
        Assert.False(verdict.IsJob);
        Assert.Equal(status is 404 or 410 or 451 ? TimeSpan.FromSeconds(1) : TimeSpan.Zero, verdict.Lifetime);
    });

    [Fact]
    public void Each_lifetime_is_the_configured_one()
    {
        var options = new JobsOptions
        {
            FinishedLifetime = TimeSpan.FromDays(4),
            FailedLifetime = TimeSpan.FromDays(3),
            RunningLifetime = TimeSpan.Zero,
            NotFoundLifetime = TimeSpan.FromDays(1),
        };
        Assert.Equal(TimeSpan.FromDays(4), Classify(Final("completed"), options).Lifetime);
        Assert.Equal(TimeSpan.FromHours(1), Classify(Final("failed"), options).Lifetime);
        Assert.Equal(TimeSpan.FromDays(3), Classify(Ended("failed", 86400 * 5), options).Lifetime);
        Assert.Equal((VerdictKind.Running, TimeSpan.Zero), Kept(Classify(Final("running"), options)));
        Assert.Equal(TimeSpan.FromDays(1), UpstreamVerdict.Of(
            new UpstreamAnswer(404, [], null, UpstreamFault.None), Address, options, Now, Now).Lifetime);
    }

    [Fact]
    public void The_lifetime_of_a_failed_job_may_be_shorter_than_that_of_a_running_job()
    {
        var options = new JobsOptions { FailedLifetime = TimeSpan.Zero };
        Assert.Equal(TimeSpan.Zero, Classify(Final("failed"), options).Lifetime);
        Assert.Equal(TimeSpan.Zero,
            Classify("""{"id":"j","workflow_id":"w","status":"completed"}""", options).Lifetime);
    }

    [Fact]
    public void A_job_is_final_at_its_end_without_a_settle_time() =>
        Assert.Equal((VerdictKind.Finished, TimeSpan.FromDays(30)),
            Kept(Classify(Ended("completed", 0), new JobsOptions { SettleTime = TimeSpan.Zero })));

    [Fact]
    public void Configured_failure_words_replace_the_built_in_ones()
    {
        var options = new JobsOptions { FailedStatuses = ["Broken"] };
        Assert.Equal(VerdictKind.Failed, Classify(Final("BROKEN"), options).Kind);
        Assert.Equal(VerdictKind.Running, Classify(Final("failed"), options).Kind);
        Assert.Equal(VerdictKind.Finished, Classify(Final("completed"), options).Kind);
    }

    [Fact]
    public void Configured_status_words_replace_the_built_in_ones()
    {
        var options = new JobsOptions { FinishedStatuses = ["done"] };
        Assert.Equal(VerdictKind.Finished, Classify(Final("Done"), options).Kind);
        Assert.Equal(VerdictKind.Running, Classify(Final("completed"), options).Kind);
    }

    [Fact]
    public void The_ids_of_a_body_are_ignored_without_verification()
    {
        var verdict = Classify("""{"id":"other","status":"completed","finished_at":"2026-06-01T11:00:00Z"}""",
            new JobsOptions { VerifyIds = false });
        Assert.Equal(VerdictKind.Finished, verdict.Kind);
    }

    private static JobAddress Address => JobAddress.TryCreate("w", "j", out var address) ? address : default;

    private static Verdict Classify(string body, JobsOptions? options = null, DateTimeOffset? firstSeen = null) =>
        UpstreamVerdict.Of(
            new UpstreamAnswer(200, Encoding.UTF8.GetBytes(body), null, UpstreamFault.None), Address, options
                ?? new JobsOptions(), Now, firstSeen ?? Now);

    private static (VerdictKind, TimeSpan) Kept(Verdict verdict) => (verdict.Kind, verdict.Lifetime);

    private static string Final(string status) =>
        $$"""{"id":"j","workflow_id":"w","status":"{{status}}","finished_at":"2026-06-01T11:00:00Z"}""";

    private static string Ended(string status, double secondsAgo) =>
        $$"""{"id":"j","workflow_id":"w","status":"{{status}}","finished_at":"{{Now.AddSeconds(-secondsAgo):O}}"}""";

    private static string Base64(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));
}

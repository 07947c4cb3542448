using System.Text;
using CsCheck;
using Gateway.Jobs;
using Gateway.Upstream;

namespace Gateway.Tests.Jobs;

public sealed class FreshnessTests
{
    private static readonly DateTimeOffset Now = new(2026, 6, 1, 12, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData("\"completed\"", "\"2026-06-01T11:00:00Z\"", nameof(VerdictKind.Finished))]
    [InlineData("\"COMPLETED\"", "\"2026-06-01 11:00:00\"", nameof(VerdictKind.Finished))]
    [InlineData("\"Succeeded\"", "\"2026-06-01T11:00:00+00:00\"", nameof(VerdictKind.Finished))]
    [InlineData("\"success\"", "\"x\"", nameof(VerdictKind.Finished))]
    [InlineData("\" FULFILLED \"", "\"x\"", nameof(VerdictKind.Finished))]
    [InlineData("\"failed\"", "\"x\"", nameof(VerdictKind.Failed))]
    [InlineData("\"Error\"", "\"x\"", nameof(VerdictKind.Failed))]
    [InlineData("\"CANCELLED\"", "\"x\"", nameof(VerdictKind.Failed))]
    [InlineData("\"EXPIRED\"", "\"x\"", nameof(VerdictKind.Failed))]
    [InlineData("\"completed\"", "\"\"", nameof(VerdictKind.Running))]
    [InlineData("\"completed\"", "\"  \"", nameof(VerdictKind.Running))]
    [InlineData("\"completed\"", "null", nameof(VerdictKind.Running))]
    [InlineData("\"completed\"", "\"0001-01-01T00:00:00Z\"", nameof(VerdictKind.Running))]
    [InlineData("\"completed\"", "0", nameof(VerdictKind.Running))]
    [InlineData("\"completed\"", "{}", nameof(VerdictKind.Running))]
    [InlineData("\"failed\"", "\"\"", nameof(VerdictKind.Running))]
    [InlineData("\"running\"", "\"x\"", nameof(VerdictKind.Running))]
    [InlineData("\"perfected\"", "\"x\"", nameof(VerdictKind.Running))]
    [InlineData("null", "\"x\"", nameof(VerdictKind.Running))]
    [InlineData("7", "\"x\"", nameof(VerdictKind.Running))]
    public void A_job_is_final_only_with_a_final_status_and_a_time(string status, string finishedAt, string kind)
    {
        var verdict = Classify($$"""{"id":"j","workflow_id":"w","progress":"100","status":{{status}},"finished_at":{{finishedAt}}}""");

        Assert.Equal(kind, verdict.Kind.ToString());
        Assert.Equal(kind switch { "Finished" => TimeSpan.FromDays(30), "Failed" => TimeSpan.FromHours(1), _ => TimeSpan.FromSeconds(2) }, verdict.Lifetime);
    }

    [Theory]
    [InlineData("")]
    [InlineData("\"id\":\"j\",")]
    [InlineData("\"workflow_id\":\"w\",")]
    [InlineData("\"id\":null,\"workflow_id\":\"w\",")]
    public void A_job_that_names_not_both_lives_no_longer_than_a_running_one(string names) =>
        Assert.Equal((VerdictKind.Running, TimeSpan.FromSeconds(2)), Kept(Classify($$"""{{{names}}"status":"completed","finished_at":"x"}""")));

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
    public void What_is_not_this_job_is_invalid(string body, string reason)
    {
        var verdict = Classify(body);
        Assert.Equal((VerdictKind.Invalid, TimeSpan.Zero, reason, false), (verdict.Kind, verdict.Lifetime, verdict.Detail, verdict.MayServeStale));
    }

    [Theory]
    [InlineData(404, nameof(VerdictKind.NotFound), 1, false)]
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
    public void Each_status_has_its_verdict(int status, string kind, int seconds, bool mayServeStale)
    {
        var verdict = Freshness.Classify(new UpstreamAnswer(status, [], null, UpstreamFault.None), Address, new JobsOptions(), Now);
        Assert.Equal((kind, TimeSpan.FromSeconds(seconds), mayServeStale), (verdict.Kind.ToString(), verdict.Lifetime, verdict.MayServeStale));
    }

    [Theory]
    [InlineData("https://b.s3.amazonaws.com/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20260601T115900Z&X-Amz-Expires=120&X-Amz-Signature=ab", 60)]
    [InlineData("https://b.s3.amazonaws.com/k?AWSAccessKeyId=A&Signature=ab&Expires=1780315260", 60)]
    [InlineData("https://d.cloudfront.net/k?Expires=1780315260&Signature=ab&Key-Pair-Id=K", 60)]
    [InlineData("https://d.cloudfront.net/k?Policy=eyJTdGF0ZW1lbnQiOlt7IlJlc291cmNlIjoiaCIsIkNvbmRpdGlvbiI6eyJEYXRlTGVzc1RoYW4iOnsiQVdTOkVwb2NoVGltZSI6MTc4MDMxNTI2MH19fV19&Signature=ab&Key-Pair-Id=K", 60)]
    [InlineData("https://storage.googleapis.com/b/k?X-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-Date=20260601T115900Z&X-Goog-Expires=120&X-Goog-Signature=ab", 60)]
    [InlineData("https://a.blob.core.windows.net/c/k?sv=2024-01-01&se=2026-06-01T12%3A01%3A00Z&sr=b&sig=ab%3D", 60)]
    [InlineData("see https://h/k?X-Amz-Date=20260601T115900Z&X-Amz-Expires=120&X-Amz-Signature=ab and https://h/l?X-Amz-Date=20260601T115900Z&X-Amz-Expires=90&X-Amz-Signature=ab", 30)]
    [InlineData("https://h/k?X-Amz-Date=20260601T110000Z&X-Amz-Expires=60&X-Amz-Signature=ab", 0)]
    [InlineData("https://h/k?X-Amz-Date=99991231T235959Z&X-Amz-Expires=2147483647&X-Amz-Signature=ab", 2592000)]
    [InlineData("https://h/k?Expires=99999999999999999999&Signature=ab", 2592000)]
    [InlineData("https://h/k?page=2&Expires=1780315260", 2592000)]
    public void A_signed_url_caps_the_lifetime(string url, int seconds)
    {
        foreach (var form in (string[])[$"\"{url}\"", $"[{{\"href\":\"{url.Replace("&", "\\u0026", StringComparison.Ordinal)}\"}}]",
            $"\"{{\\\"href\\\":\\\"{url}\\\"}}\"", $"\"{{\\\"href\\\":\\\"{url.Replace("&", "\\\\u0026", StringComparison.Ordinal)}\\\"}}\"", $"\"{Base64($"{{\"href\":\"{url}\"}}")}\"", $"[{string.Join(',', Encoding.UTF8.GetBytes(url))}]"])
        {
            var verdict = Classify($$"""{"id":"j","workflow_id":"w","status":"completed","finished_at":"x","tasks":[{"result":{{form}}}]}""");
            Assert.Equal((VerdictKind.Finished, TimeSpan.FromSeconds(seconds)), Kept(verdict));
        }
    }

    [Fact]
    public void A_long_string_of_question_marks_is_read_in_no_time()
    {
        var verdict = Classify($$"""{"id":"j","workflow_id":"w","status":"running","u":"{{new string('?', 4_000_000)}}"}""");
        Assert.Equal(VerdictKind.Running, verdict.Kind);
    }

    [Fact]
    public void The_start_of_a_cloudfront_policy_is_not_its_end()
    {
        var policy = Base64("""{"Statement":[{"Condition":{"DateLessThan":{"AWS:EpochTime":1780315260},"DateGreaterThan":{"AWS:EpochTime":1}}}]}""");
        var url = $"https://d.cloudfront.net/k?Policy={policy.Replace('+', '-').Replace('=', '_').Replace('/', '~')}&Signature=ab&Key-Pair-Id=K";
        var verdict = Classify($$"""{"id":"j","workflow_id":"w","status":"completed","finished_at":"x","u":"{{url}}"}""");
        Assert.Equal((VerdictKind.Finished, TimeSpan.FromSeconds(60)), Kept(verdict));
    }

    [Theory]
    [InlineData("completed,success,succeeded,fulfilled", nameof(VerdictKind.Finished))]
    [InlineData("failed,failure,error,cancelled,canceled,expired", nameof(VerdictKind.Failed))]
    [InlineData("created,queued,inprogress,in_progress,running,complete,done,partially_completed,not completed", nameof(VerdictKind.Running))]
    public void Every_status_word_counts_in_any_case(string words, string kind)
    {
        foreach (var word in words.Split(','))
        {
            foreach (var written in (string[])[word, word.ToUpperInvariant(), char.ToUpperInvariant(word[0]) + word[1..], $" {word}\\n"])
            {
                Assert.Equal((written, kind), (written, Classify(Final(written)).Kind.ToString()));
            }
        }
    }

    [Theory]
    [InlineData("completed")]
    [InlineData("failed")]
    public void A_final_status_without_finished_at_is_running(string status) => Assert.Equal(
        (VerdictKind.Running, TimeSpan.FromSeconds(2)), Kept(Classify($$"""{"id":"j","workflow_id":"w","progress":"100","status":"{{status}}"}""")));

    [Fact]
    public void A_finished_at_without_a_status_is_running() =>
        Assert.Equal(VerdictKind.Running, Classify("""{"id":"j","workflow_id":"w","progress":"100","finished_at":"x"}""").Kind);

    [Fact]
    public void Tasks_that_are_finished_do_not_finish_the_job() => Assert.Equal(VerdictKind.Running,
        Classify("""{"id":"j","workflow_id":"w","status":"running","tasks":[{"status":"completed","finished_at":"x"}]}""").Kind);

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
    public void Each_fault_has_its_verdict_and_no_lifetime(string fault, int status, string kind, string detail, bool mayServeStale)
    {
        var answer = UpstreamAnswer.Failed(Enum.Parse<UpstreamFault>(fault), status);
        var verdict = Freshness.Classify(answer, Address, new JobsOptions(), Now);
        Assert.Equal((kind, TimeSpan.Zero, detail, mayServeStale), (verdict.Kind.ToString(), verdict.Lifetime, verdict.Detail, verdict.MayServeStale));
    }

    [Fact]
    public void Nothing_but_a_200_is_a_job() => Gen.Int[100, 999].Where(status => status != 200).Sample(status =>
    {
        var answer = new UpstreamAnswer(status, Encoding.UTF8.GetBytes(Final("completed")), null, UpstreamFault.None);
        var verdict = Freshness.Classify(answer, Address, new JobsOptions(), Now);
        Assert.False(verdict.IsJob);
        Assert.Equal(status == 404 ? TimeSpan.FromSeconds(1) : TimeSpan.Zero, verdict.Lifetime);
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
        Assert.Equal(TimeSpan.FromDays(3), Classify(Final("failed"), options).Lifetime);
        Assert.Equal((VerdictKind.Running, TimeSpan.Zero), Kept(Classify(Final("running"), options)));
        Assert.Equal(TimeSpan.FromDays(1), Freshness.Classify(new UpstreamAnswer(404, [], null, UpstreamFault.None), Address, options, Now).Lifetime);
    }

    [Fact]
    public void A_configured_failure_replaces_the_built_in_ones()
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
    public void Without_verification_the_name_does_not_matter()
    {
        var verdict = Classify("""{"id":"other","status":"completed","finished_at":"x"}""", new JobsOptions { VerifyIds = false });
        Assert.Equal(VerdictKind.Finished, verdict.Kind);
    }

    private static JobAddress Address => JobAddress.TryCreate("w", "j", out var address) ? address : default;

    private static Verdict Classify(string body, JobsOptions? options = null) => Freshness.Classify(
        new UpstreamAnswer(200, Encoding.UTF8.GetBytes(body), null, UpstreamFault.None), Address, options ?? new JobsOptions(), Now);

    private static (VerdictKind, TimeSpan) Kept(Verdict verdict) => (verdict.Kind, verdict.Lifetime);

    private static string Final(string status) => $$"""{"id":"j","workflow_id":"w","status":"{{status}}","finished_at":"x"}""";

    private static string Base64(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));
}

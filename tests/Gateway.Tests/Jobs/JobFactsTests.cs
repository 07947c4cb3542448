using System.Text;
using CsCheck;
using Gateway.Jobs;

namespace Gateway.Tests.Jobs;

[Trait("Kind", "Unit")]
public sealed class JobFactsTests
{
    private static readonly DateTimeOffset Now = new(2026, 6, 1, 12, 0, 0, TimeSpan.Zero);

    private const string Body =
        """{"id":"j","spec":[1,{"a":"\ud800 \u00e9"}],"status":"running","tasks":[{"depends_on":["é"]}]}""";

    private static readonly Gen<string> Escape = Gen.Select(
        Gen.OneOf(@"\n", @"\""", @"\\", @"\/", @"\ud800", @"\udc00", @"\ud83d\ude00", @"\u0000", "é", "😀", " ", "?"),
        Gen.String["abc"], (escape, text) => text + escape);

    private static readonly Gen<string> Text = Escape.Array[0, 4].Select(parts => $"\"{string.Concat(parts)}\"");

    private static readonly Gen<string> Value = Gen.Recursive<string>((depth, inner) => depth >= 4 ? Scalar : Gen.OneOf(
        Scalar, inner.Array[0, 3].Select(items => $"[{string.Join(",", items)}]"), Members(inner)));

    private static readonly Gen<string> Object = Members(Value);

    private static Gen<string> Scalar =>
        Gen.OneOf(Text, Gen.OneOf("null", "true", "false", "0", "255", "-1", "1.5e300", "1e999"));

    private static Gen<string> Members(Gen<string> value) => Gen.Select(
        Gen.OneOf(Text, Gen.OneOf("\"id\"", "\"status\"", "\"finished_at\"")), value, (name, item) =>
            $"{name} : {item}")
        .Array[0, 3].Select(members => $"{{{string.Join(" , ", members)}}}");

    [Fact]
    public void A_truncated_body_is_refused()
    {
        var bytes = Encoding.UTF8.GetBytes(Body);
        Assert.True(JobFacts.TryRead(bytes, Now, out _));
        for (var length = 0; length < bytes.Length; length++)
            Assert.False(JobFacts.TryRead(bytes.AsSpan(0, length), Now, out _), $"{length}");
    }

    [Fact]
    public void Any_whole_object_is_readable_and_no_prefix_of_it() =>
        Gen.Select(Object, Gen.Bool).Sample((json, mark) =>
        {
            byte[] body = [.. mark ? Encoding.UTF8.Preamble : [], .. Encoding.UTF8.GetBytes(json)];
            Assert.True(JobFacts.TryRead(body, Now, out _), json);
            for (var length = 0; length < body.Length; length++)
                Assert.False(JobFacts.TryRead(body.AsSpan(0, length), Now, out _), $"{length} of {json}");
        }, iter: 300);

    [Fact]
    public void Other_fields_do_not_change_the_facts_of_a_job() =>
        Gen.Select(Value, Value).Sample((before, after) =>
        {
            var body =
                $$"""
                {"a":{{before}},"id":"j","workflow_id":"w","status":"done","finished_at":"2026-06-01T11:00:00Z",
                "b":{{after}}}
                """;
            Assert.True(JobFacts.TryRead(Encoding.UTF8.GetBytes(body), Now, out var facts), body);
            Assert.Equal(("j", "w", "done", Now.AddHours(-1)),
                (facts.Id, facts.WorkflowId, facts.Status, facts.Times.FinishedAt));
        });

    [Fact]
    public void A_body_is_readable_with_any_value_in_its_fields() =>
        Gen.Select(Gen.OneOf("id", "workflow_id", "status", "finished_at"), Value).Sample((name, value) =>
            Assert.True(
                JobFacts.TryRead(Encoding.UTF8.GetBytes($$"""{"{{name}}":{{value}},"b":1}"""), Now, out _), value));

    [Fact]
    public void Invalid_UTF_8_at_any_position_is_refused() =>
        Gen.Select(Gen.Int[0, Encoding.UTF8.GetByteCount(Body)], Gen.Byte[0xF5, 0xFF]).Sample((at, wrong) =>
        {
            var bytes = Encoding.UTF8.GetBytes(Body).ToList();
            bytes.Insert(at, wrong);
            Assert.False(JobFacts.TryRead(bytes.ToArray(), Now, out _));
        });

    [Theory]
    [InlineData("{}", true)]
    [InlineData(" \t\r\n{} \n", true)]
    [InlineData("[]", false)]
    [InlineData("\"{}\"", false)]
    [InlineData("null", false)]
    [InlineData("1", false)]
    [InlineData("{}x", false)]
    [InlineData("{}{}", false)]
    [InlineData("{},", false)]
    [InlineData("{}\0", false)]
    [InlineData("{'id':1}", false)]
    [InlineData("{\"id\":1,}", false)]
    [InlineData("{/**/}", false)]
    [InlineData("{\"a\":NaN}", false)]
    [InlineData("{\"a\":01}", false)]
    [InlineData("<html></html>", false)]
    public void Only_one_complete_object_is_readable_as_a_job(string body, bool accepted) =>
        Assert.Equal(accepted, JobFacts.TryRead(Encoding.UTF8.GetBytes(body), Now, out _));

    [Theory]
    [InlineData("""{"status":"a","status":"b"}""", "b")]
    [InlineData("""{"st\u0061tus":"\u0061"}""", "a")]
    [InlineData("""{"status":"a","\ud800":1}""", "a")]
    [InlineData("""{"Status":"a"}""", "")]
    [InlineData("""{"status":null}""", "")]
    public void A_status_is_read_in_every_JSON_spelling(string body, string status)
    {
        Assert.True(JobFacts.TryRead(Encoding.UTF8.GetBytes(body), Now, out var facts));
        Assert.Equal(status, facts.Status);
    }

    [Theory]
    [InlineData("""{"id":"j"}""", true)]
    [InlineData("""{"workflow_id":"w","error":"x"}""", true)]
    [InlineData("""{"status":"running"}""", true)]
    [InlineData("""{"status":"running","error":null}""", true)]
    [InlineData("""{"status":"running","error":"","errors":[]}""", true)]
    [InlineData("""{"status":"failed","error":"out of memory","created_at":"2026-06-01T11:00:00Z"}""", true)]
    [InlineData("""{"status":"error","error":{"code":"NOT_FOUND"}}""", false)]
    [InlineData("""{"status":"error","error":"not found"}""", false)]
    [InlineData("""{"status":404,"title":"Not Found"}""", false)]
    [InlineData("""{"status":"404"}""", false)]
    [InlineData("""{"status":" "}""", false)]
    [InlineData("""{"status":{}}""", false)]
    [InlineData("""{"id":{},"workflow_id":[]}""", false)]
    [InlineData("""{"data":{"id":"j"}}""", false)]
    [InlineData("{}", false)]
    public void A_job_has_an_id_or_a_status_that_is_not_an_error(string body, bool isJob)
    {
        Assert.True(JobFacts.TryRead(Encoding.UTF8.GetBytes(body), Now, out var facts));
        Assert.Equal(isJob, facts.IsJob);
    }

    [Fact]
    public void Reading_random_bytes_never_throws() =>
        Gen.Byte.Array[0, 200].Sample(bytes => { JobFacts.TryRead(bytes, Now, out _); });

    [Fact]
    public void Reading_a_damaged_body_never_throws() =>
        Gen.Select(Gen.Int[0, Encoding.UTF8.GetByteCount(Body) - 1], Gen.Byte).Sample((at, value) =>
        {
            var bytes = Encoding.UTF8.GetBytes(Body);
            bytes[at] = value;
            JobFacts.TryRead(bytes, Now, out _);
        });

    [Fact]
    public void Invalid_UTF_8_in_a_string_is_refused() =>
        Assert.False(JobFacts.TryRead([.. "{\"id\":\""u8, 0xC3, 0x28, .. "\"}"u8], Now, out _));

    [Fact]
    public void A_byte_order_mark_is_skipped() =>
        Assert.True(JobFacts.TryRead([0xEF, 0xBB, 0xBF, .. "{\"id\":\"j\"}"u8], Now, out var facts) && facts.Id == "j");

    [Theory]
    [InlineData(500, true)]
    [InlineData(600, false)]
    public void The_nesting_depth_is_limited(int depth, bool accepted) => Assert.Equal(accepted, JobFacts.TryRead(
        Encoding.UTF8.GetBytes($"{{\"spec\":{new string('[', depth)}{new string(']', depth)}}}"), Now, out _));

    [Fact]
    public void Only_top_level_fields_count()
    {
        Assert.True(JobFacts.TryRead("""
            {"tasks":[{"id":"t","status":"completed","finished_at":"2026-06-01T11:00:00Z"}],
            "block":{"id":"b"}}
            """u8, Now, out var facts));
        Assert.Equal((null, "", null), (facts.Id, facts.Status, facts.Times.FinishedAt));
    }
}

using System.Text;
using CsCheck;
using Gateway.Drift;
using Gateway.Jobs;
using Simulator.Jobs;

namespace Gateway.Tests.Drift;

/// <summary>Tests which findings the drift check reports for a body.</summary>
[Trait("Kind", "Unit")]
public sealed class DriftCheckTests
{
    // Both have all required fields.
    private const string Job =
        """ "id":"j","workflow_id":"w","status":"running","progress":"1","created_at":"t","updated_at":"t" """,
        Task = """ "id":"t","name":"n","status":"created","progress":1 """;

    private static readonly DateTimeOffset Start = new(2026, 1, 31, 10, 0, 0, TimeSpan.Zero);

    private static readonly string[] Fields = [
        .. ExpectedShape.OfJob.Fields!.Keys, .. ExpectedShape.OfJob.Fields["tasks"].Shape.Items!.Fields!.Keys, "more"];

    private static readonly Gen<string> Scalar = Gen.OneOf(
        "null", "true", "\"\"", "\"running\"", "\"\\ud800\"", "0", "-1", "12.0", "1.5e300", "1e999", "\"é\\n\"");

    private static readonly Gen<string> Value = Gen.Recursive<string>((depth, inner) => depth >= 5 ? Scalar : Gen.OneOf(
        Scalar, inner.Array[0, 3].Select(items => $"[{string.Join(",", items)}]"),
        Gen.Select(Gen.OneOf(Gen.OneOf(Fields), Gen.OneOf("", "~/", "é", "\\ud800", "a b")), inner,
            (name, item) => $"\"{name}\":{item}")
            .Array[0, 4].Select(members => $"{{{string.Join(",", members)}}}")));

    [Theory]
    [InlineData("""{"colour":1}""", "/colour unknown-field")]
    [InlineData("""{"Cost":1}""", "/Cost unknown-field")]
    [InlineData("""{"colour":{"red":{"deep":1}}}""", "/colour unknown-field")]
    [InlineData("""{"colour":1,"colour":2}""", "/colour unknown-field")]
    [InlineData("""{"val_errors":[{"from":"a","line":1},{"line":2,"err":3}]}""", "/val_errors/*/err wrong-type",
        "/val_errors/*/line unknown-field")]
    [InlineData("""{"cost":"12"}""", "/cost wrong-type")]
    [InlineData("""{"cost":12.5}""", "/cost wrong-type")]
    [InlineData("""{"cost":1e-1}""", "/cost wrong-type")]
    [InlineData("""{"cost":9223372036854775808}""", "/cost wrong-type")]
    [InlineData("""{"cost":1e999}""", "/cost wrong-type")]
    [InlineData("""{"cost":12}""")]
    [InlineData("""{"cost":12.0}""")]
    [InlineData("""{"cost":12e2}""")]
    [InlineData("""{"cost":-9223372036854775808}""")]
    [InlineData("""{"cost":null,"tasks":null,"spec":null,"time_taken":null}""")]
    [InlineData("""{"time_taken":5}""", "/time_taken wrong-type")]
    [InlineData("""{"time_taken":true}""", "/time_taken wrong-type")]
    [InlineData("""{"time_taken":{"cost":"x","colour":1}}""", "/time_taken wrong-type")]
    [InlineData("""{"tasks":{}}""", "/tasks wrong-type")]
    [
        InlineData("""{"tasks":[[1],"x",{}]}""", "/tasks/* wrong-type", "/tasks/*/id missing-field",
        "/tasks/*/name missing-field",
        "/tasks/*/progress missing-field", "/tasks/*/status missing-field")]
    [InlineData("""{"tasks":[null]}""")]
    [InlineData("""{"spec":{"colour":1}}""")]
    [InlineData("""{"spec":[1,{"status":"x"}]}""")]
    [InlineData("""{"spec":true}""")]
    [InlineData("""{"tasks":[{TASK,"depends_on":["a",null,1]}]}""", "/tasks/*/depends_on/* wrong-type")]
    [InlineData("""{"tasks":[{TASK,"progress":"50"},{TASK,"progress":12.5}]}""", "/tasks/*/progress wrong-type")]
    [InlineData("""{"tasks":[{TASK,"result":{"x":1},"inputs":"x","info_logs":7}]}""")]
    [InlineData("""{"tasks":[{TASK,"block_info":{"licence":"x","version":2}}]}""",
        "/tasks/*/block_info/licence unknown-field", "/tasks/*/block_info/version wrong-type")]
    [InlineData("""{"tasks":[{TASK},{TASK,"status":"Skipped"}]}""", "/tasks/*/status new-status")]
    [InlineData("""{"status":"archived"}""", "/status new-status")]
    [InlineData("""{"status":"\ud800"}""", "/status new-status")]
    [InlineData("""{"status":7}""", "/status wrong-type")]
    [InlineData("""{"status":""}""")]
    [InlineData("""{"status":" "}""")]
    [InlineData("""{"status":null}""")]
    [InlineData("""{"status":" RUNNING "}""")]
    [InlineData("""{"st\u0061tus":"Queued"}""")]
    // A field name may contain any characters.
    [InlineData("""{"a b":1}""", "/? unknown-field")]
    [InlineData("""{"":1,"~1":1,"é":1,"a/b":1,"\ud800":1,"*":1,"a\nb":1}""", "/? unknown-field")]
    [InlineData("""{"https://example.com/signed?sig=1":1}""", "/? unknown-field")]
    [InlineData("""{"a_B-9.z":1}""", "/a_B-9.z unknown-field")]
    public void A_deviation_is_reported_once_with_its_pointer_and_kind(string more, params string[] expected) =>
        Assert.Equal(
            expected, Find($"{{{Job},\"tasks\":[],{more.Replace("TASK", Task, StringComparison.Ordinal)[1..]}"));

    [Theory]
    [InlineData(64, true)]
    [InlineData(65, false)]
    public void A_field_name_above_the_maximum_length_is_not_shown(int length, bool shown)
    {
        var name = new string('n', length);
        Assert.Equal([$"/{(shown ? name : "?")} unknown-field"], Find($"{{{Job},\"tasks\":[],\"{name}\":1}}"));
    }

    [Fact]
    public void Missing_required_fields_are_reported() => Assert.Equal(
        ["/created_at missing-field", "/id missing-field", "/progress missing-field", "/status missing-field",
            "/tasks missing-field",
            "/updated_at missing-field", "/workflow_id missing-field"], Find("{}"));

    [Theory]
    [InlineData("", 0)]
    [InlineData("<html></html>", 0)]
    [InlineData("""{"colour":1""", 0)]
    [InlineData("""[{"colour":1}]""", 1)]
    [InlineData("7", 1)]
    public void A_body_that_is_not_a_job_does_not_fail_the_check(string body, int findings) =>
        Assert.Equal(findings, Find(body).Length);

    [Fact]
    public void A_byte_order_mark_is_skipped() =>
        Assert.Equal(["/colour unknown-field"], Find($"\ufeff{{{Job},\"tasks\":[],\"colour\":1}}"));

    [Fact]
    public void A_deeply_nested_job_is_checked_to_its_end() =>
        Assert.Equal(["/colour unknown-field"],
            Find($"{{{Job},\"tasks\":[],\"spec\":{new string('[', 500)}{new string(']', 500)},\"colour\":1}}"));

    [Fact]
    public void The_findings_of_one_body_are_limited_to_1000() =>
        Assert.Equal(
            1000, Find($"{{{string.Join(",", Enumerable.Range(0, 5000).Select(n => $"\"n{n}\":1"))}}}").Length);

    [Fact]
    public void Configured_statuses_replace_the_known_ones()
    {
        var options = new JobsOptions
        {
            RunningStatuses = ["paused"],
            FinishedStatuses = ["fertig"],
            FailedStatuses = ["kaputt"]
        };
        foreach (var known in (string[])["Paused", "FERTIG", "kaputt"]) Assert.True(options.IsKnown(known), known);
        foreach (var replaced in (string[])["running", "completed", "failed"])
        {
            Assert.False(options.IsKnown(replaced), replaced);
        }
    }

    public static TheoryData<string> SimulatedJobs()
    {
        string[] kinds = ["finished-1", "run-30", "fail", "fail-30", "cancel", "cancel-30", "stuck-30", "late-30"];
        var shapes = JobShape.Known.Where(modifier => modifier != "nameless"
            && !modifier.StartsWith("drift-", StringComparison.Ordinal))
            .Select(modifier => modifier.Replace("-N", "-30", StringComparison.Ordinal)
            .Replace("WORD", "FULFILLED", StringComparison.Ordinal));
        return [.. kinds, .. from kind in kinds from shape in shapes select $"{kind}.{shape}"];
    }

    [Theory]
    [MemberData(nameof(SimulatedJobs))]
    public void A_documented_job_has_no_findings(string job)
    {
        var looks = 0;
        foreach (var seconds in (int[])[0, 1, 15, 29, 30, 61])
        {
            var view = JobView.At("survey-1", job, Start, Start.AddSeconds(seconds));
            if (view.State.HttpStatus != 200) continue;
            Assert.Equal([], Find(JobJson.Render(view).Span));
            looks++;
        }
        Assert.NotEqual(0, looks);
    }

    [Theory]
    [InlineData("finished.drift-field", "/tasks/*/node_pool unknown-field")]
    [InlineData("finished.drift-type", "/cost wrong-type")]
    [InlineData("finished.drift-missing", "/progress missing-field")]
    [InlineData("finished.drift-status", "/tasks/*/status new-status")]
    [InlineData("finished.status-DONE", "/status new-status")]
    [InlineData("finished.nameless", "/id missing-field", "/workflow_id missing-field")]
    [InlineData("finished.drift-field.drift-type.drift-missing", "/cost wrong-type", "/progress missing-field",
        "/tasks/*/node_pool unknown-field")]
    public void The_simulators_drift_modifiers_cause_the_expected_findings(string job, params string[] expected) =>
        Assert.Equal(expected, Find(JobJson.Render(JobView.At("survey-1", job, Start, Start)).Span));

    [Fact]
    public void Any_JSON_is_checked_without_failure_and_every_pointer_is_valid() => Value.Sample(json =>
    {
        foreach (var finding in Find(json))
        {
            Assert.Matches(
                @"\A(/([A-Za-z0-9_.-]{1,64}|\*|\?))* (unknown-field|wrong-type|missing-field|new-status)\z", finding);
        }
    }, iter: 5_000);

    [Fact]
    public void A_truncated_body_does_not_fail_the_check() =>
        Gen.Select(Value, Gen.Double[0, 1]).Sample((json, share) =>
    {
        var body = Encoding.UTF8.GetBytes(json);
        Find(body.AsSpan(0, (int)(body.Length * share)));
    }, iter: 2_000);

    [Fact]
    public void The_content_of_a_raw_field_is_not_checked() =>
        Gen.Select(Gen.OneOf("spec", "inputs", "result", "info_logs"), Value).Sample((field, value) =>
        Assert.Equal([], Find(field == "spec"
            ? $"{{{Job},\"tasks\":[],\"spec\":{value}}}" : $"{{{Job},\"tasks\":[{{{Task},\"{field}\":{value}}}]}}")));

    private static string[] Find(string body) => Find(Encoding.UTF8.GetBytes(body));

    private static string[] Find(ReadOnlySpan<byte> body) =>
    [
        .. DriftCheck.Run(body, ExpectedShape.OfJob, new JobsOptions().IsKnown)
        .Select(finding => $"{finding.Pointer} {finding.Kind}").Order(StringComparer.Ordinal),
    ];
}

using System.Text;
using System.Text.Json;
using Gateway.Jobs;

namespace Gateway.Tests.Jobs;

[Trait("Kind", "Unit")]
public sealed class SummaryWriterTests
{
    [Theory]
    [InlineData("{}", """{"tasks":[]}""")]
    [InlineData("""{"id":"j","status":"running","progress":"45.5%","spec":[1,2]}""",
        """{"id":"j","status":"running","progress":45.5,"tasks":[]}""")]
    [InlineData("""{"status":"done","progress":"much","finished_at":"","cost":3}""",
        """{"status":"done","tasks":[]}""")]
    [InlineData("""{"tasks":[{"name":"a","progress":7,"inputs":{"tasks":[1]},"depends_on":["b",1,["c"],"d"]},3]}""",
        """{"tasks":[{"name":"a","progress":7,"depends_on":["b","d"]}]}""")]
    [InlineData("""{"tasks":{"name":"a"},"status":{"x":1}}""", """{"tasks":[]}""")]
    [InlineData("""{"tasks":[{"name":"a"}],"tasks":[{"name":"b"}]}""", """{"tasks":[{"name":"b"}]}""")]
    [InlineData("""{"st\u0061tus":"x","id":"é\u0022"}""", """{"id":"é\"","status":"x","tasks":[]}""")]
    [InlineData("""{"\ud800":1,"status":"\ud800","id":"j"}""", """{"id":"j","tasks":[]}""")]
    [InlineData("""{"estimated_duration":540,"exec_created_at":"t"}""",
        """{"exec_created_at":"t","estimated_duration":540,"tasks":[]}""")]
    public void A_summary_has_status_progress_times_and_a_line_for_each_task(string job, string summary) =>
        Assert.Equal(summary, Encoding.UTF8.GetString(SummaryWriter.Of(Encoding.UTF8.GetBytes(job))));

    [Fact]
    public void A_byte_order_mark_is_skipped() =>
        Assert.Equal("""{"id":"j","tasks":[]}""", Encoding.UTF8.GetString(
            SummaryWriter.Of([0xEF, 0xBB, 0xBF, .. """{"id":"j"}"""u8])));

    [Fact]
    public void Long_text_is_cut_and_no_pair_of_surrogates_is_split()
    {
        var text = string.Concat(Enumerable.Repeat("😀", 400));
        var job = JsonSerializer.SerializeToUtf8Bytes(new { tasks = new[] { new { err_msg = text } } });

        var task = JsonElement.Parse(SummaryWriter.Of(job)).GetProperty("tasks")[0];

        var cut = task.GetProperty("err_msg").GetString()!;
        Assert.InRange(cut.Length, 490, 500);
        Assert.EndsWith("😀…", cut, StringComparison.Ordinal);
    }

    [Fact]
    public void A_summary_of_any_valid_job_is_valid_JSON()
    {
        // Deep and odd values must not end the summary early.
        var deep = string.Concat(Enumerable.Repeat("[", 500)) + string.Concat(Enumerable.Repeat("]", 500));
        var job = Encoding.UTF8.GetBytes($$"""{"spec":{{deep}},"progress":{{deep}},"status":"x","tasks":[{{deep}}]}""");

        Assert.Equal("x", JsonElement.Parse(SummaryWriter.Of(job)).GetProperty("status").GetString());
    }
}

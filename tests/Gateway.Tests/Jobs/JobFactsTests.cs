using System.Text;
using CsCheck;
using Gateway.Jobs;

namespace Gateway.Tests.Jobs;

public sealed class JobFactsTests
{
    private const string Body = """{"id":"j","spec":[1,{"a":"\ud800 \u00e9"}],"status":"running","tasks":[{"depends_on":["é"]}]}""";

    [Fact]
    public void A_body_that_is_cut_anywhere_is_refused()
    {
        var bytes = Encoding.UTF8.GetBytes(Body);
        Assert.True(JobFacts.TryRead(bytes, out _));
        for (var length = 0; length < bytes.Length; length++) Assert.False(JobFacts.TryRead(bytes.AsSpan(0, length), out _), $"{length}");
    }

    [Fact]
    public void Random_bytes_never_throw() =>
        Gen.Byte.Array[0, 200].Sample(bytes => { JobFacts.TryRead(bytes, out _); });

    [Fact]
    public void A_damaged_body_never_throws() =>
        Gen.Select(Gen.Int[0, Encoding.UTF8.GetByteCount(Body) - 1], Gen.Byte).Sample((at, value) =>
        {
            var bytes = Encoding.UTF8.GetBytes(Body);
            bytes[at] = value;
            JobFacts.TryRead(bytes, out _);
        });

    [Fact]
    public void Invalid_utf_8_is_refused() =>
        Assert.False(JobFacts.TryRead([.. "{\"id\":\""u8, 0xC3, 0x28, .. "\"}"u8], out _));

    [Fact]
    public void A_byte_order_mark_is_passed_over() =>
        Assert.True(JobFacts.TryRead([0xEF, 0xBB, 0xBF, .. "{\"id\":\"j\"}"u8], out var facts) && facts.Id == "j");

    [Theory]
    [InlineData(500, true)]
    [InlineData(600, false)]
    public void Depth_is_bounded(int depth, bool accepted) => Assert.Equal(accepted, JobFacts.TryRead(
        Encoding.UTF8.GetBytes($"{{\"spec\":{new string('[', depth)}{new string(']', depth)}}}"), out _));

    [Fact]
    public void Only_the_fields_of_the_job_itself_count()
    {
        Assert.True(JobFacts.TryRead("""{"tasks":[{"id":"t","status":"completed","finished_at":"x"}],"block":{"id":"b"}}"""u8, out var facts));
        Assert.Equal((null, "", false), (facts.Id, facts.Status, facts.HasFinishedAt));
    }
}

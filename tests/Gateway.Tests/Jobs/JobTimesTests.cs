using System.Text;
using Gateway.Jobs;

namespace Gateway.Tests.Jobs;

public sealed class JobTimesTests
{
    private static readonly DateTimeOffset Noon = new(2026, 5, 4, 12, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData("2026-05-04T12:00:00Z")]
    [InlineData("2026-05-04T12:00:00+00:00")]
    [InlineData("2026-05-04T12:00:00.000Z")]
    [InlineData("2026-05-04 12:00:00Z")]
    [InlineData("2026-05-04 12:00:00")]
    [InlineData("2026-05-04T14:00:00+02:00")]
    public void Timestamps_come_in_any_of_their_forms(string text) =>
        Assert.Equal(Noon, Read($$"""{"created_at":"{{text}}"}""").StartedAt);

    [Theory]
    [InlineData("""{"created_at":""}""")]
    [InlineData("""{"created_at":"yesterday"}""")]
    [InlineData("""{"created_at":1777896000}""")]
    [InlineData("""{"created_at":null}""")]
    [InlineData("""{"created_at":"0001-01-01T00:00:00Z"}""")]
    [InlineData("""{"created_at":{"at":"2026-05-04T12:00:00Z"}}""")]
    [InlineData("""{"tasks":[{"created_at":"2026-05-04T12:00:00Z"}]}""")]
    [InlineData("""["created_at"]""")]
    [InlineData("""{"created_at":"2026-05-04T12:0""")]
    [InlineData("")]
    public void What_is_no_timestamp_of_the_job_says_nothing(string body) => Assert.Null(Read(body).StartedAt);

    [Theory]
    [InlineData("""{"\u0063reated_at":"2026-05-04T12:00:00Z"}""")]
    [InlineData("""{"\ud800":1,"created_at":"2026-05-04T12:00:00Z"}""")]
    public void Names_may_be_escaped(string body) => Assert.Equal(Noon, Read(body).StartedAt);

    [Fact]
    public void A_job_started_when_it_was_executed_rather_than_when_it_was_created()
    {
        var job = Read("""{"tasks":[{"x":[1]}],"exec_created_at":"2026-05-04T12:00:00Z","created_at":"2026-05-04T11:00:00Z","finished_at":"2026-05-04T12:09:00Z"}""");

        Assert.Equal(Noon, job.StartedAt);
        Assert.Equal(TimeSpan.FromMinutes(9), job.Took);
    }

    [Theory]
    [InlineData("\"45\"", 0.45)]
    [InlineData("\"45%\"", 0.45)]
    [InlineData("\"45.0\"", 0.45)]
    [InlineData("\"45 %\"", 0.45)]
    [InlineData("45", 0.45)]
    [InlineData("\"0\"", 0.0)]
    [InlineData("\"100\"", 1.0)]
    [InlineData("\"101\"", null)]
    [InlineData("-1", null)]
    [InlineData("\"NaN\"", null)]
    [InlineData("\"half\"", null)]
    [InlineData("[45]", null)]
    [InlineData("null", null)]
    public void Progress_is_a_percentage_in_any_of_its_forms(string json, double? progress) =>
        Assert.Equal(progress, Read($$"""{"progress":{{json}}}""").Progress);

    [Theory]
    [InlineData("540", 540.0)]
    [InlineData("\"540\"", 540.0)]
    [InlineData("0", null)]
    [InlineData("-5", null)]
    [InlineData("1e300", null)]
    [InlineData("\"long\"", null)]
    public void An_estimate_is_a_number_of_seconds(string json, double? seconds) =>
        Assert.Equal(seconds, Read($$"""{"estimated_duration":{{json}}}""").Estimated?.TotalSeconds);

    [Theory]
    [InlineData("2026-05-04T12:00:00Z", "2026-05-04T11:59:00Z")]
    [InlineData("1990-05-04T12:00:00Z", "2026-05-04T11:59:00Z")]
    public void A_duration_that_cannot_be_is_none(string started, string finished) =>
        Assert.Null(Read($$"""{"created_at":"{{started}}","finished_at":"{{finished}}"}""").Took);

    [Fact]
    public void A_byte_order_mark_is_no_part_of_it() =>
        Assert.Equal(Noon, JobTimes.Read([.. Encoding.UTF8.Preamble, .. Encoding.UTF8.GetBytes("""{"created_at":"2026-05-04T12:00:00Z"}""")]).StartedAt);

    private static JobTimes Read(string body) => JobTimes.Read(Encoding.UTF8.GetBytes(body));
}

using System.Text;
using Gateway.Jobs;

namespace Gateway.Tests.Jobs;

[Trait("Kind", "Unit")]
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
    [InlineData("2026-05-04t12:00:00z")]
    [InlineData("2026-05-04T12:00Z")]
    [InlineData("2026-05-04T12:00:00.0000000000000Z")]
    [InlineData("2026-05-04T12:00:00,000Z")]
    [InlineData("2026-05-04T08:30:00-0330")]
    [InlineData("2026-05-04T14:00:00+02")]
    [InlineData("2026-05-04 12:00:00 UTC")]
    [InlineData("2026-05-04 12:00:00.000000000 +0000 UTC")]
    [InlineData("2026/05/04 12:00:00")]
    [InlineData(" 2026-05-04T12:00:00Z\\n")]
    [InlineData("1777896000")]
    [InlineData("1777896000.0")]
    [InlineData("1777896000000")]
    [InlineData("1777896000000000")]
    [InlineData("1777896000000000000")]
    public void Timestamps_are_read_in_every_supported_format(string text)
    {
        Assert.Equal(Noon, Read($$"""{"created_at":"{{text}}"}""").StartedAt);
        if (double.TryParse(text, System.Globalization.CultureInfo.InvariantCulture, out _))
            Assert.Equal(Noon, Read($$"""{"created_at":{{text}}}""").StartedAt);
    }

    [Theory]
    [InlineData("2026-05-04T12:00:00.1234567Z", 1234567)]
    [InlineData("2026-05-04 12:00:00.123456789", 1234567)]
    [InlineData("2026-05-04 12:00:00,5", 5000000)]
    [InlineData("1777896000.5", 5000000)]
    public void A_fraction_of_a_second_is_read(string text, int ticks) =>
        Assert.Equal(Noon.AddTicks(ticks), Read($$"""{"finished_at":"{{text}}"}""").FinishedAt);

    [Fact]
    public void A_leap_second_is_read_as_the_last_second_of_its_minute() =>
        Assert.Equal(new DateTimeOffset(2016, 12, 31, 23, 59, 59, TimeSpan.Zero),
            Read("""{"finished_at":"2016-12-31T23:59:60Z"}""").FinishedAt);

    [Theory]
    [InlineData("""{"created_at":""}""")]
    [InlineData("""{"created_at":"yesterday"}""")]
    [InlineData("""{"created_at":null}""")]
    [InlineData("""{"created_at":" "}""")]
    [InlineData("""{"created_at":"null"}""")]
    [InlineData("""{"created_at":"None"}""")]
    [InlineData("""{"created_at":"n/a"}""")]
    [InlineData("""{"created_at":"-"}""")]
    [InlineData("""{"created_at":"12:00"}""")]
    [InlineData("""{"created_at":"May 4"}""")]
    [InlineData("""{"created_at":"2026"}""")]
    [InlineData("""{"created_at":"2026-05-04"}""")]
    [InlineData("""{"created_at":"20260504"}""")]
    [InlineData("""{"created_at":"2026-05-04T25:00:00Z"}""")]
    [InlineData("""{"created_at":"2026-13-04T12:00:00Z"}""")]
    [InlineData("""{"created_at":"2026-05-04T12:00:00+99:00"}""")]
    [InlineData("""{"created_at":"0000-00-00 00:00:00"}""")]
    [InlineData("""{"created_at":"0000-00-00T00:00:00Z"}""")]
    [InlineData("""{"created_at":"0001-01-01 00:00:00"}""")]
    [InlineData("""{"created_at":"0001-01-01T00:00:00+05:30"}""")]
    [InlineData("""{"created_at":"1601-01-01T00:00:00Z"}""")]
    [InlineData("""{"created_at":"1753-01-01T00:00:00Z"}""")]
    [InlineData("""{"created_at":"1899-12-30T00:00:00Z"}""")]
    [InlineData("""{"created_at":"1969-12-31T19:00:00-05:00"}""")]
    [InlineData("""{"created_at":"1970-01-01T00:00:00Z"}""")]
    [InlineData("""{"created_at":"1970-01-01 05:30:00"}""")]
    [InlineData("""{"created_at":"1980-01-01T00:00:00Z"}""")]
    [InlineData("""{"created_at":"2000-01-01T00:00:00Z"}""")]
    [InlineData("""{"created_at":"2001-01-01T00:00:00Z"}""")]
    [InlineData("""{"created_at":0}""")]
    [InlineData("""{"created_at":"0"}""")]
    [InlineData("""{"created_at":-1}""")]
    [InlineData("""{"created_at":-62135596800}""")]
    [InlineData("""{"created_at":1}""")]
    [InlineData("""{"created_at":1e300}""")]
    [InlineData("""{"created_at":"NaN"}""")]
    [InlineData("""{"created_at":true}""")]
    [InlineData("""{"created_at":["2026-05-04T12:00:00Z"]}""")]
    [InlineData("""{"created_at":"0001-01-01T00:00:00Z"}""")]
    [InlineData("""{"created_at":{"at":"2026-05-04T12:00:00Z"}}""")]
    [InlineData("""{"tasks":[{"created_at":"2026-05-04T12:00:00Z"}]}""")]
    [InlineData("""["created_at"]""")]
    [InlineData("""{"created_at":"2026-05-04T12:0""")]
    [InlineData("")]
    public void A_malformed_or_nested_timestamp_is_ignored(string body) => Assert.Null(Read(body).StartedAt);

    [Theory]
    [InlineData("""{"\u0063reated_at":"2026-05-04T12:00:00Z"}""")]
    [InlineData("""{"\ud800":1,"created_at":"2026-05-04T12:00:00Z"}""")]
    public void Escaped_field_names_are_read(string body) => Assert.Equal(Noon, Read(body).StartedAt);

    [Fact]
    public void The_start_of_execution_outweighs_the_time_of_creation()
    {
        var job = Read(
            """
            {"tasks":[{"x":[1]}],"exec_created_at":"2026-05-04T12:00:00Z","created_at":"2026-05-04T11:00:00Z",
            "finished_at":"2026-05-04T12:09:00Z"}
            """);

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
    public void Progress_is_a_percentage_in_every_supported_format(string json, double? progress) =>
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
    [InlineData("2019-05-04T12:00:00Z", "2026-05-04T11:59:00Z")]
    public void An_impossible_duration_is_ignored(string started, string finished) =>
        Assert.Null(Read($$"""{"created_at":"{{started}}","finished_at":"{{finished}}"}""").Took);

    [Fact]
    public void A_byte_order_mark_is_skipped_before_the_times() =>
        Assert.Equal(
            Noon,
            JobTimes.Read(
                [.. Encoding.UTF8.Preamble,
                    .. Encoding.UTF8.GetBytes("""{"created_at":"2026-05-04T12:00:00Z"}""")]).StartedAt);

    private static JobTimes Read(string body) => JobTimes.Read(Encoding.UTF8.GetBytes(body));
}

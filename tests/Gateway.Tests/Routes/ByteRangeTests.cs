using System.Net.Http.Headers;
using Gateway.Routes;

namespace Gateway.Tests.Routes;

/// <summary>Tests the arithmetic of ranges (RFC 9110, section 14).</summary>
[Trait("Kind", "Unit")]
public sealed class ByteRangeTests
{
    [Theory]
    [InlineData("bytes=0-9", "bytes=0-109")]
    [InlineData("bytes=50-59", "bytes=0-159")]
    [InlineData("BYTES= 500-599 ", "bytes=400-699")]
    [InlineData("bytes=500-", "bytes=400-")]
    [InlineData("bytes=-10", "bytes=-110")]
    [InlineData("bytes=-0", "bytes=-100")]
    public void The_upstream_is_asked_for_a_margin_on_both_sides(string field, string expected)
    {
        Assert.True(ByteRange.TryParse(field, out var range));
        Assert.Equal(expected, range.Widened(100));
    }

    [Theory]
    [InlineData("bytes=0-1,3-4")]
    [InlineData("bytes=9-0")]
    [InlineData("bytes=-")]
    [InlineData("bytes=a-b")]
    [InlineData("bytes=0-1x")]
    [InlineData("bytes=1")]
    [InlineData("bytes=+1-2")]
    [InlineData("bytes=0-9999999999999999999")]
    [InlineData("pages=0-1")]
    [InlineData("")]
    public void Other_ranges_are_ignored(string field) => Assert.False(ByteRange.TryParse(field, out _));

    [Theory]
    [InlineData("bytes=500-599", "bytes 400-699/1000", "bytes 500-599/1000", 100)]
    [InlineData("bytes=500-599", "bytes 400-699/*", "bytes 500-599/*", 100)]
    [InlineData("bytes=50-59", "bytes 0-159/1000", "bytes 50-59/1000", 50)]
    [InlineData("bytes=950-", "bytes 850-999/1000", "bytes 950-999/1000", 100)]
    [InlineData("bytes=950-2000", "bytes 850-999/1000", "bytes 950-999/1000", 100)]
    [InlineData("bytes=-10", "bytes 890-999/1000", "bytes 990-999/1000", 100)]
    [InlineData("bytes=-5000", "bytes 0-999/1000", "bytes 0-999/1000", 0)]
    [InlineData("bytes=1000-", "bytes 900-999/1000", "bytes */1000", 100)]
    [InlineData("bytes=1050-1060", "bytes 950-999/1000", "bytes */1000", 100)]
    [InlineData("bytes=-0", "bytes 900-999/1000", "bytes */1000", 100)]
    [InlineData("bytes=500-599", "bytes 401-699/1000", null, 0)]
    [InlineData("bytes=500-599", "bytes 400-698/1000", null, 0)]
    [InlineData("bytes=500-599", "bytes 500-599/1000", null, 0)]
    [InlineData("bytes=500-599", "bytes 400-650/*", null, 0)]
    [InlineData("bytes=500-", "bytes 400-650/*", null, 0)]
    [InlineData("bytes=500-599", "bytes */1000", null, 0)]
    [InlineData("bytes=500-599", "pages 400-699/1000", null, 0)]
    [InlineData("bytes=500-599", null, null, 0)]
    public void The_range_is_found_only_in_an_answer_with_both_margins(
        string field, string? answered, string? expected, long skip)
    {
        Assert.True(ByteRange.TryParse(field, out var range));
        var slice = range.FindIn(answered is null ? null : ContentRangeHeaderValue.Parse(answered), 100);
        Assert.Equal((expected, skip), (slice?.ContentRange, slice?.Skip ?? 0));
    }
}

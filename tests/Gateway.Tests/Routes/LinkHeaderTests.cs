using Gateway.Routes;

namespace Gateway.Tests.Routes;

/// <summary>Tests the parser of <c>Link</c> fields (RFC 8288).</summary>
[Trait("Kind", "Unit")]
public sealed class LinkHeaderTests
{
    [Theory]
    [InlineData("<a>; rel=\"next\"", "<a>; rel=\"next\"")]
    [InlineData("<a>", "<a>")]
    [InlineData("", "")]
    [InlineData(" , <a> ;rel = next ; title=\"x, y; \\\"z\\\"\" ,, <b?c,d>;rel=prev;;",
        "<a>; rel = next; title=\"x, y; \\\"z\\\"\" | <b?c,d>; rel=prev")]
    [InlineData("<a>; crossorigin; title*=UTF-8''%e2%82%ac", "<a>; crossorigin; title*=UTF-8''%e2%82%ac")]
    [InlineData("< a >", "<a>")]
    public void A_field_is_split_into_links(string field, string expected) =>
        Assert.Equal(expected, string.Join(" | ", LinkHeader.Parse(field)!));

    [Fact]
    public void The_value_of_a_parameter_is_unquoted() =>
        Assert.Equal(["next \"page\"", "x", null], Assert.Single(
            LinkHeader.Parse("<a>; rel=\"next \\\"page\\\"\"; anchor=x; flag")!).Parameters.Select(one => one.Value));

    [Theory]
    [InlineData("a; rel=next")]
    [InlineData("<a")]
    [InlineData("<a> rel=next")]
    [InlineData("<a>; rel=\"next")]
    [InlineData("<a>; rel=\"next\\")]
    [InlineData("<a>; =x")]
    [InlineData("<a>; rel=next b")]
    [InlineData("<a>, b")]
    public void A_malformed_field_has_no_links(string field) => Assert.Null(LinkHeader.Parse(field));
}

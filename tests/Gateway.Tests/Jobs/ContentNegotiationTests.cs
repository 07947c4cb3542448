using Gateway.Jobs;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Gateway.Tests.Jobs;

public sealed class ContentNegotiationTests
{
    private static readonly JobSnapshot Job = Snapshot(
        new(ContentCoding.Identity, new byte[300]), new(ContentCoding.Gzip, new byte[200]), new(ContentCoding.Brotli, new byte[100]));

    [Theory]
    [InlineData(null, null)]
    [InlineData("", null)]
    [InlineData("gzip", "gzip")]
    [InlineData("GZIP", "gzip")]
    [InlineData("br", "br")]
    [InlineData("gzip, br", "br")]
    [InlineData("gzip, deflate, br, zstd", "br")]
    [InlineData("br;q=0.5, gzip", "gzip")]
    [InlineData("br;q=0.5, gzip;q=0.6, identity;q=0.7", null)]
    [InlineData("gzip;q=0.001", "gzip")]
    [InlineData("gzip;q=0", null)]
    [InlineData("br;q=0, gzip", "gzip")]
    [InlineData("deflate, zstd", null)]
    [InlineData("identity", null)]
    [InlineData("identity, br", "br")]
    [InlineData("identity;q=0, gzip;q=0.1", "gzip")]
    [InlineData("*", "br")]
    [InlineData("*, br;q=0", "gzip")]
    [InlineData("*;q=0.1, identity", null)]
    [InlineData("gzip, *;q=0", "gzip")]
    [InlineData("*;q=0", null)]
    [InlineData("identity;q=0", null)]
    [InlineData("identity;q=0, br;q=0, gzip;q=0", null)]
    [InlineData("gzip;q=nonsense", null)]
    [InlineData(";;,=", null)]
    public void The_highest_weight_wins_and_of_equal_ones_the_smallest_body(string? accepted, string? encoding) =>
        Assert.Equal(encoding, Choose(Job, accepted));

    [Fact]
    public void Several_lines_are_one_list() => Assert.Equal("br", Choose(Job, new StringValues(["gzip;q=0.5", "br"])));

    [Fact]
    public void What_is_not_stored_is_not_chosen()
    {
        Assert.Null(Choose(Snapshot(new Representation(ContentCoding.Identity, default)), "gzip, br, identity;q=0"));
        Assert.Equal("gzip", Choose(Snapshot(new(ContentCoding.Identity, new byte[300]), new(ContentCoding.Gzip, new byte[200])), "br, gzip;q=0.1"));
    }

    private static string? Choose(JobSnapshot snapshot, StringValues accepted) =>
        ContentNegotiation.Choose(snapshot, new HeaderDictionary { ["Accept-Encoding"] = accepted }).ContentEncoding;

    private static JobSnapshot Snapshot(params Representation[] representations) => new()
    {
        Order = 1,
        Kind = VerdictKind.Finished,
        FetchedAt = default,
        FreshUntil = default,
        Representations = representations,
    };
}

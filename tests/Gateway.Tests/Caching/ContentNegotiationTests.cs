using Gateway.Caching;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Gateway.Tests.Caching;

[Trait("Kind", "Unit")]
public sealed class ContentNegotiationTests
{
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
    public void The_highest_weight_wins_and_the_best_compression_among_equal_weights(string? accepted, string? encoding)
    {
        // The second call uses the remembered result.
        for (var times = 0; times < 2; times++)
            Assert.Equal(encoding, Wanted(
                accepted)[0] switch
            { ContentCoding.Brotli => "br", ContentCoding.Gzip => "gzip", _ => null });
    }

    [Fact]
    public void Several_Accept_Encoding_lines_are_one_list() =>
        Assert.Equal(ContentCoding.Brotli, Wanted(new StringValues(["gzip;q=0.5", "br"]))[0]);

    [Theory]
    [InlineData("gzip, br", "Brotli Gzip Identity")]
    [InlineData("br;q=0.1, gzip;q=0.9", "Gzip Brotli Identity")]
    [InlineData("br, identity;q=0.5, gzip;q=0.1", "Brotli Identity Gzip")]
    [InlineData("br, identity;q=0", "Brotli Identity")]
    public void Codings_are_ordered_by_the_clients_preference(string accepted, string order) =>
        Assert.Equal(order, string.Join(' ', Wanted(accepted)));

    [Fact]
    public void Thousands_of_different_Accept_Encoding_values_are_all_parsed_correctly()
    {
        for (var i = 0; i < 2000; i++)
            Assert.Equal([ContentCoding.Gzip, ContentCoding.Identity], Wanted($"gzip, x{i}"));
    }

    private static ContentCoding[] Wanted(StringValues accepted) =>
        ContentNegotiation.Wanted(new HeaderDictionary { ["Accept-Encoding"] = accepted });
}

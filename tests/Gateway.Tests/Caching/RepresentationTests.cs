using System.IO.Compression;
using CsCheck;
using Gateway.Caching;

namespace Gateway.Tests.Caching;

[Trait("Kind", "Unit")]
public sealed class RepresentationTests
{
    [Fact]
    public void Each_coding_decodes_to_the_original_bytes() =>
        Gen.Select(Gen.Byte[0, 3].Array[0, 5000], Gen.Bool).Sample((body, thorough) =>
            Assert.All(All(body, thorough), one => Assert.Equal(body, Decode(one))));

    [Fact]
    public void Each_coding_is_smaller_than_the_body_and_has_its_own_entity_tag() =>
        Gen.Select(Gen.Byte.Array[0, 300], Gen.Int[1, 20]).Sample((chunk, times) =>
        {
            byte[] body = [.. Enumerable.Repeat(chunk, times).SelectMany(one => one)];

            var all = All(body, thorough: false);

            Assert.Equal((ContentCoding.Identity, null), (all[0].Coding, all[0].ContentEncoding));
            Assert.Equal(body, all[0].Body);
            Assert.All(all[1..], one => Assert.True(one.Body.Length < body.Length));
            Assert.Equal(all.Length, all.Select(one => one.ETag).Distinct(StringComparer.Ordinal).Count());
        });

    [Fact]
    public void A_body_that_compresses_well_has_all_codings() =>
        Assert.Equal([null, "gzip", "br"], All(new byte[1000]).Select(one => one.ContentEncoding));

    [Theory]
    [InlineData(255, 1)]
    [InlineData(256, 3)]
    public void A_body_below_256_bytes_is_not_compressed(int length, int codings) =>
        Assert.Equal(codings, All(new byte[length]).Length);

    [Fact]
    public void An_incompressible_body_has_only_the_identity_coding()
    {
        var noise = new byte[1000];
        new Random(1).NextBytes(noise);
        Assert.Single(All(noise));
    }

    [Fact]
    public void An_entity_tag_changes_with_every_bit_of_the_body() =>
        Gen.Select(Gen.Byte.Array[1, 400], Gen.Int[0, int.MaxValue]).Sample((body, at) =>
        {
            byte[] changed = [.. body];
            changed[at % body.Length] ^= (byte)(1 << (at % 8));

            Assert.DoesNotContain(Of(changed).ETag, All(body).Select(one => one.ETag));
            Assert.Equal(Of(body).ETag, Of([.. body]).ETag);
        });

    [Fact]
    public void An_entity_tag_is_strong() => Assert.Matches("^\"[A-Za-z0-9_-]{22}\"$", Of([]).ETag);

    private static Representation Of(byte[] body) => new(ContentCoding.Identity, body);

    // The identity coding first, then the compressed ones.
    private static Representation[] All(byte[] body, bool thorough = true) =>
        [Of(body), .. new[] { Of(body).Encoded(ContentCoding.Gzip, thorough), Of(body)
            .Encoded(ContentCoding.Brotli, thorough) }.OfType<Representation>()];

    private static byte[] Decode(Representation representation)
    {
        using var body = new MemoryStream(representation.Body.ToArray());
        using Stream decoding = representation.ContentEncoding switch
        {
            "gzip" => new GZipStream(body, CompressionMode.Decompress),
            "br" => new BrotliStream(body, CompressionMode.Decompress),
            _ => body,
        };
        using var decoded = new MemoryStream();
        decoding.CopyTo(decoded);
        return decoded.ToArray();
    }
}

using CsCheck;
using Gateway.Caching;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace Gateway.Tests.Caching;

[Trait("Kind", "Unit")]
public sealed class IfNoneMatchTests
{
    // Has the length and alphabet of a job's entity tag, and contains text that looks like a proxy's suffix.
    private const string Opaque = "ab-gzip_--br-0123-gzip", ETag = $"\"{Opaque}\"";

    [Fact]
    public void The_entity_tag_of_these_tests_has_the_length_of_a_jobs_entity_tag() =>
        Assert.Equal(Representation.ETagLength, ETag.Length);

    [Theory]
    [InlineData($"\"{Opaque}\"")]
    [InlineData($"W/\"{Opaque}\"")]
    // Suffixes of Apache's mod_deflate and mod_brotli, Jetty, LiteSpeed, proxies with another separator, and two in a
    // row.
    [InlineData($"\"{Opaque}-gzip\"")]
    [InlineData($"\"{Opaque}-br\"")]
    [InlineData($"\"{Opaque}--gzip\"")]
    [InlineData($"\"{Opaque};gz\"")]
    [InlineData($"\"{Opaque};gzip\"")]
    [InlineData($"\"{Opaque};br\"")]
    [InlineData($"\"{Opaque}:zstd\"")]
    [InlineData($"\"{Opaque}.deflate\"")]
    [InlineData($"\"{Opaque}-GZIP\"")]
    [InlineData($"\"{Opaque}-gzip-gzip\"")]
    [InlineData($"\"{Opaque}-br;gzip\"")]
    [InlineData($"W/\"{Opaque}-gzip\"")]
    [InlineData("*")]
    [InlineData(" * ")]
    // Lists.
    [InlineData($"\"a\", W/\"{Opaque}-gzip\"")]
    [InlineData($"\"a,b\",\"{Opaque}\"")]
    [InlineData($", ,\"\",\t{ETag} ,")]
    [InlineData($"\"back\\\",{ETag}")]
    public void An_entity_tag_matches_in_every_accepted_form(string field) =>
        Assert.True(IfNoneMatch.Matches(field, ETag));

    [Theory]
    [InlineData("")]
    [InlineData("\"\"")]
    [InlineData("\"other\"")]
    // The gateway has no longer or shorter tags.
    [InlineData("\"ab-gzip_--br-0123\"")]
    [InlineData("\"ab\"")]
    [InlineData($"\"{Opaque}0\"")]
    [InlineData($"\"{Opaque}gzip\"")]
    [InlineData($"\"0{Opaque}\"")]
    [InlineData("\"AB-gzip_--br-0123-gzip\"")]
    // The suffix is not the name of a coding, or contains more than that.
    [InlineData($"\"{Opaque}-\"")]
    [InlineData($"\"{Opaque}-gzipped\"")]
    [InlineData($"\"{Opaque}-minified\"")]
    [InlineData($"\"{Opaque}-gzip-\"")]
    [InlineData($"\"{Opaque} -gzip\"")]
    // Not entity tags.
    [InlineData(Opaque)]
    [InlineData($"w/{ETag}")]
    [InlineData($"W/ {ETag}")]
    [InlineData($"\"{Opaque}")]
    [InlineData($"\"a\" {ETag}")]
    [InlineData($"a, {ETag}")]
    [InlineData("\"a\", *")]
    public void A_different_or_malformed_entity_tag_does_not_match(string field) =>
        Assert.False(IfNoneMatch.Matches(field, ETag));

    [Fact]
    public void A_request_without_the_field_is_not_conditional() =>
        Assert.False(IfNoneMatch.Matches(StringValues.Empty, ETag));

    [Theory]
    [InlineData(true, "\"a\"", ETag)]
    [InlineData(true, "\"a\", \"b\"", $"W/{ETag}, \"c\"")]
    [InlineData(true, "malformed", ETag)]
    [InlineData(false, "\"a\"", "*")]
    [InlineData(false, "\"a", $"\", {ETag}")]
    public void Several_If_None_Match_lines_are_one_list(bool matches, params string[] lines) =>
        Assert.Equal(matches, IfNoneMatch.Matches(lines, ETag));

    /// <summary>The expected result comes from the framework's parser and its weak comparison.</summary>
    [Fact]
    public void A_well_formed_list_matches_as_RFC_9110_defines()
    {
        // Any character that RFC 9110, section 8.8.3 allows, except the backslash: the framework's parser reads it as
        // an escape.
        var codes = Enumerable.Range(0x21, 0x5E).Where(code => code is not ('"' or '\\'));
        var character = Gen.OneOf<char>([.. codes.Select(code => (char)code), '\u00e9']);
        var other = character.Array[0, 30].Select(characters => $"\"{new string(characters)}\"");
        var tag = Gen.OneOf(Gen.Const(ETag), other);
        var item = Gen.Select(Gen.Bool, tag, (weak, tag) => weak ? $"W/{tag}" : tag);
        var comma = Gen.OneOf(",", ", ", "\t,", " , ,");
        var list = Gen.Select(item.Array[1, 5], comma, (items, comma) => string.Join(comma, items));
        list.Array[1, 3].Sample(lines =>
        {
            Assert.True(EntityTagHeaderValue.TryParseList(lines, out var parsed));
            var current = new EntityTagHeaderValue(ETag);
            var expected = parsed.Any(one => one.Compare(current, useStrongComparison: false));
            Assert.Equal(expected, IfNoneMatch.Matches(lines, ETag));
        }, print: lines => string.Join('|', lines));
    }

    /// <summary>A proxy's suffix never makes the tag of one body match the tag of a different body.</summary>
    [Fact]
    public void A_proxy_suffix_never_makes_the_entity_tags_of_two_bodies_match() =>
        Gen.Select(Gen.Byte.Array[0, 20], Gen.Byte.Array[0, 20], Gen.OneOf("", "-gzip", ";gz", "--gzip", "-br-gzip"))
            .Sample((one, other, suffix) =>
            {
                var changed = $"{new Representation(ContentCoding.Identity, one).ETag[..^1]}{suffix}\"";
                var etag = new Representation(ContentCoding.Identity, other).ETag;
                Assert.Equal(one.AsSpan().SequenceEqual(other), IfNoneMatch.Matches(changed, etag));
            });

    [Theory]
    [InlineData(ETag)]
    [InlineData($"\"a\", W/\"{Opaque}-gzip\"")]
    [InlineData("\"a\", \"b\", \"c\"")]
    public void Comparing_allocates_nothing(string field)
    {
        var values = new StringValues(field);
        IfNoneMatch.Matches(values, ETag);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++) IfNoneMatch.Matches(values, ETag);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }
}

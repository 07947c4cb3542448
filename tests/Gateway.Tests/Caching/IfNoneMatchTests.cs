using CsCheck;
using Gateway.Caching;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace Gateway.Tests.Caching;

public sealed class IfNoneMatchTests
{
    // Of the length and alphabet of a job's; it has what looks like a suffix of a proxy within.
    private const string Opaque = "ab-gzip_--br-0123-gzip", ETag = $"\"{Opaque}\"";

    [Fact]
    public void The_tag_of_these_tests_is_as_long_as_a_jobs() => Assert.Equal(Representation.ETagLength, ETag.Length);

    [Theory]
    [InlineData($"\"{Opaque}\"")]
    [InlineData($"W/\"{Opaque}\"")]
    // Apache's mod_deflate and mod_brotli, Jetty, LiteSpeed, proxies that use another separator, and two in a row.
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
    public void A_client_that_has_the_representation_says_so_in_any_of_these_forms(string field) =>
        Assert.True(IfNoneMatch.Matches(field, ETag));

    [Theory]
    [InlineData("")]
    [InlineData("\"\"")]
    [InlineData("\"other\"")]
    // No tag of the gateway is longer or shorter.
    [InlineData("\"ab-gzip_--br-0123\"")]
    [InlineData("\"ab\"")]
    [InlineData($"\"{Opaque}0\"")]
    [InlineData($"\"{Opaque}gzip\"")]
    [InlineData($"\"0{Opaque}\"")]
    [InlineData("\"AB-gzip_--br-0123-gzip\"")]
    // Not the names of codings, or not only.
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
    public void Anything_else_is_another_representation_or_none(string field) =>
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
    public void Several_lines_are_one_list(bool matches, params string[] lines) =>
        Assert.Equal(matches, IfNoneMatch.Matches(lines, ETag));

    /// <summary>The framework's parser and its weak comparison say what a list of the standard's means.</summary>
    [Fact]
    public void A_well_formed_list_matches_as_the_standard_says()
    {
        // Any character of RFC 9110, section 8.8.3 but the backslash, which the framework's parser takes for an escape.
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

    /// <summary>Whatever the bytes of two bodies, no proxy's suffix makes the tag of one match the other's.</summary>
    [Fact]
    public void A_suffix_never_makes_one_tag_of_the_gateway_match_another() =>
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

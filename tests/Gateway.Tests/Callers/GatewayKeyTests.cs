using System.Buffers.Text;
using System.Security.Cryptography;
using CsCheck;
using Gateway.Callers;

namespace Gateway.Tests.Callers;

[Trait("Kind", "Unit")]
public sealed class GatewayKeyTests
{
    private const string Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    [Fact]
    public void A_key_consists_of_a_prefix_256_random_bits_and_a_checksum()
    {
        var key = GatewayKey.Create();
        Assert.StartsWith("gwk_", key, StringComparison.Ordinal);
        var bytes = Base64Url.DecodeFromChars(key.AsSpan(4));
        Assert.Equal(36, bytes.Length);
        Assert.Equal(SHA256.HashData(bytes.AsSpan(0, 32))[..4], bytes[32..]);
    }

    [Fact]
    public void Generated_keys_are_distinct() =>
        Assert.Equal(
            1000, Enumerable.Range(0, 1000).Select(_ => GatewayKey.Create()).Distinct(StringComparer.Ordinal).Count());

    [Fact]
    public void A_generated_key_has_a_valid_checksum() =>
        Assert.All(Enumerable.Range(0, 1000).Select(_ => GatewayKey.Create()),
            key => Assert.True(GatewayKey.IsWhole(key), key));

    [Fact]
    public void A_single_wrong_character_is_detected()
    {
        var key = GatewayKey.Create();
        Gen.Select(Gen.Int[0, key.Length - 1], Gen.OneOf(Gen.Char[Alphabet], Gen.Char))
            .Where((i, wrong) => key[i] != wrong)
            .Sample((i, wrong) => Assert.False(GatewayKey.IsWhole($"{key[..i]}{wrong}{key[(i + 1)..]}")), iter: 10_000);
    }

    [Fact]
    public void Truncation_and_appended_characters_are_detected()
    {
        var key = GatewayKey.Create();
        for (var length = 0; length < key.Length; length++)
        {
            Assert.False(GatewayKey.IsWhole(key.AsSpan(0, length)));
            Assert.False(GatewayKey.IsWhole(key.AsSpan(key.Length - length)));
        }
        Assert.All((string[])["A", "=", " ", "\n", key], more => Assert.False(GatewayKey.IsWhole(key + more)));
    }

    [Theory]
    [InlineData("gwk_", true)]
    [InlineData("gwk_anything", true)]
    [InlineData("GWK_anything", false)]
    [InlineData("a-key-of-ours", false)]
    [InlineData("", false)]
    public void A_key_with_the_gateways_prefix_is_taken_for_a_gateway_key(string key, bool isMeant)
    {
        Assert.Equal(isMeant, GatewayKey.IsMeant(key));
        Assert.False(GatewayKey.IsWhole(key));
    }
}

using System.Security.Cryptography;
using System.Text;
using CsCheck;
using Gateway.Callers;

namespace Gateway.Tests.Callers;

[Trait("Kind", "Unit")]
public sealed class KeyHashTests
{
    [Theory]
    [InlineData("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")]
    [InlineData("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")]
    [InlineData("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1")]
    public void A_hash_is_the_sha_256_of_the_key(string key, string hex) =>
        Assert.Equal(hex, KeyHash.Of(key).ToString());

    [Fact]
    public void A_key_of_the_maximum_length_is_hashed_as_UTF_8()
    {
        var key = new string('€', KeyHash.MaxKeyLength);
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key))),
            KeyHash.Of(key).ToString());
    }

    [Fact]
    public void A_hash_is_parsed_in_upper_and_lower_case() =>
        Gen.Select(Gen.Byte.Array[32], Gen.Bool.Array[64]).Sample((bytes, upper) =>
        {
            var hex = Convert.ToHexStringLower(bytes);
            var mixed = string.Concat(hex.Select((c, i) => upper[i] ? char.ToUpperInvariant(c) : c));

            Assert.True(KeyHash.TryParse(mixed, out var hash));
            Assert.Equal(hex, hash.Value.ToString());
        });

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015a")]
    [InlineData("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad0")]
    [InlineData("ga7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")]
    [InlineData("0xba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015")]
    [InlineData(" a7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")]
    public void Text_other_than_64_hexadecimal_digits_is_not_a_hash(string? hex)
    {
        Assert.False(KeyHash.TryParse(hex, out var hash));
        Assert.Null(hash);
    }

    [Fact]
    public void Hashes_are_equal_only_if_all_bits_are_equal() =>
        Gen.Select(Gen.Byte.Array[32], Gen.Int[0, 255]).Sample((bytes, bit) =>
        {
            var one = Parse(bytes);
            Assert.Equal(one, Parse(bytes));
            Assert.Equal(one.GetHashCode(), Parse(bytes).GetHashCode());

            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.NotEqual(one, Parse(bytes));
        });

    private static KeyHash Parse(byte[] bytes) =>
        KeyHash.TryParse(Convert.ToHexString(bytes), out var hash)
            ? hash.Value : throw new ArgumentException("No hash", nameof(bytes));
}

using System.Buffers.Text;
using Gateway.Callers;

namespace Gateway.Tests.Callers;

public sealed class NewKeyTests
{
    [Fact]
    public void A_key_is_a_known_prefix_and_256_bits()
    {
        var key = NewKey.Create();
        Assert.StartsWith("gwk_", key, StringComparison.Ordinal);
        Assert.Equal(32, Base64Url.DecodeFromChars(key.AsSpan(4)).Length);
    }

    [Fact]
    public void No_two_keys_are_alike() =>
        Assert.Equal(1000, Enumerable.Range(0, 1000).Select(_ => NewKey.Create()).Distinct(StringComparer.Ordinal).Count());
}

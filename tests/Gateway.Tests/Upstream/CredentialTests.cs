using System.Text;
using CsCheck;
using Gateway.Upstream;

namespace Gateway.Tests.Upstream;

public sealed class CredentialTests
{
    private const string Secret = "s3cret/key+with&odd\"chars\\";

    [Theory]
    [InlineData("")]
    [InlineData("short")]
    [InlineData("Bearer short")]
    [InlineData("with\nnewline")]
    [InlineData(" leading-space")]
    [InlineData("nön-ascii-credential")]
    public void What_cannot_be_sent_or_recognised_is_no_credential(string value) => Assert.False(Credential.TryParse(value, out _));

    [Fact]
    public void The_secret_is_found_however_it_is_written()
    {
        Assert.True(Credential.TryParse($"Bearer {Secret}", out var credential));
        Gen.Select(Gen.Bool.Array[Secret.Length], Gen.String[Gen.Char['a', 'z'], 0, 40], Gen.Bool).Sample((escape, before, encode) =>
        {
            var plain = $"{before}{Secret}{before}";
            var written = encode
                ? Convert.ToBase64String(Encoding.UTF8.GetBytes(plain))
                : before + string.Concat(Secret.Select((c, i) => escape[i] || c is '"' or '\\' ? $"\\u{(int)c:X4}" : $"{c}"));
            Assert.True(credential.IsIn(Encoding.UTF8.GetBytes($"{{\"a\":[\"{written}\"]}}")), written);
        });
    }

    [Theory]
    [InlineData(",")]
    [InlineData(", ")]
    [InlineData(",\r\n\t\t")]
    public void The_secret_is_found_as_an_array_of_bytes(string separator)
    {
        Assert.True(Credential.TryParse(Secret, out var credential));
        var bytes = string.Join(separator, Encoding.UTF8.GetBytes($"x{Secret}y"));
        Assert.True(credential.IsIn(Encoding.UTF8.GetBytes($"{{\"spec\":[\n{bytes}\n]}}")));
    }

    [Fact]
    public void A_byte_order_mark_or_half_a_surrogate_pair_hides_nothing()
    {
        Assert.True(Credential.TryParse(Secret, out var credential));
        var escaped = string.Concat(Secret.Select(c => $"\\u{(int)c:x4}"));
        Assert.True(credential.IsIn([0xEF, 0xBB, 0xBF, .. Encoding.UTF8.GetBytes($"{{\"a\":\"\\ud800\",\"b\":\"{escaped}\"}}")]));
    }

    [Fact]
    public void Nothing_else_is_taken_for_it()
    {
        Assert.True(Credential.TryParse(Secret, out var credential));
        Gen.String[Gen.Char['!', '~'], 0, 200].Sample(text =>
            Assert.Equal(text.Contains(Secret, StringComparison.Ordinal), credential.IsIn(Encoding.UTF8.GetBytes(text))));
        Assert.False(credential.IsIn(Encoding.UTF8.GetBytes(Secret[1..])));
    }

    [Fact]
    public void It_never_prints_itself()
    {
        Assert.True(Credential.TryParse(Secret, out var credential));
        Assert.DoesNotContain(Secret, $"{credential}", StringComparison.Ordinal);
    }
}

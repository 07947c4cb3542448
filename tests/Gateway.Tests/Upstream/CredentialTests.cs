using System.Buffers.Text;
using System.Text;
using System.Text.Json;
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
    public void Wherever_a_stream_is_cut_what_may_be_the_beginning_of_the_secret_is_held_back_and_little_else()
    {
        Assert.True(Credential.TryParse($"Bearer {Secret}", out var credential));
        Func<char, string>[] ways =
        [
            c => c is '"' or '\\' ? $"\\{c}" : $"{c}", c => $"\\u{(int)c:x4}", c => $"\\u{(int)c:X4}", c => $"%{(int)c:X2}", c => $"%{(int)c:x2}", c => $"%25{(int)c:x2}",
            c => c is '"' ? "\\\\\\\"" : c is '\\' ? "\\\\\\\\" : $"\\\\u{(int)c:x4}",
        ];
        Gen.Select(Gen.Int[0, ways.Length - 1].Array[Secret.Length], Gen.Int[0, ways.Length + 3], Gen.String[Gen.Char[' ', '~'], 0, 30], Gen.Bool).Sample((mixed, way, before, isSpaced) =>
        {
            var bytes = Encoding.ASCII.GetBytes(Secret);
            var start = before.Replace('\\', '.').Replace('%', '.') + "<";
            // JSON's two ways mix, and a URL's; one of each within the other does not.
            var form = way < 2 ? string.Concat(Secret.Select((c, i) => ways[mixed[i] % 3](c)))
                : way < ways.Length ? string.Concat(Secret.Select(ways[way]))
                : way == ways.Length ? Convert.ToHexString(bytes)
                : way == ways.Length + 1 ? "[7," + string.Join(isSpaced ? ", " : ",", bytes)
                : way == ways.Length + 2 ? "[" + string.Join(isSpaced ? " ,\n " : ",", bytes)
                : string.Concat(Secret.Select(ways[mixed[0]]));
            var whole = Encoding.ASCII.GetBytes(start + form + ">");
            Assert.True(credential.IsIn(whole), form);
            var given = 0;
            for (var cut = start.Length; cut < whole.Length && !credential.IsIn(whole.AsSpan(0, cut)); cut++)
            {
                given = Math.Max(given, cut - credential.BeginningAtEndOf(whole.AsSpan(0, cut)));
            }
            Assert.InRange(given, start.Length, start.Length + "[7,".Length);
        }, iter: 2000);
    }

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
    public void The_secret_is_found_in_the_encodings_of_urls_and_in_hexadecimal()
    {
        const string Awkward = "secret+/cred&abc??>>>~~~x";
        Assert.True(Credential.TryParse(Awkward, out var credential));
        Gen.String[Gen.Char['a', 'z'], 0, 9].Sample(before =>
        {
            var bytes = Encoding.UTF8.GetBytes($"{before}{Awkward}{before}");
            var url = Uri.EscapeDataString($"{before}{Awkward}{before}");
            Assert.All((string[])[
                url, System.Net.WebUtility.UrlEncode($"{before}{Awkward}"), url.ToLowerInvariant().Replace("secret", "secret", StringComparison.Ordinal),
                Uri.EscapeDataString($"https://other.example/?next={url}"), Base64Url.EncodeToString(bytes),
                Convert.ToHexString(bytes), Convert.ToHexStringLower(bytes)],
                written => Assert.True(credential.IsIn(Encoding.UTF8.GetBytes($"{{\"a\":\"{written}\"}}")), written));
        });
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

    [Theory]
    [InlineData("a-credential", "a-credential")]
    [InlineData("  a-credential\r\n\n", "a-credential")]
    [InlineData("\uFEFFBearer a-credential\n", "Bearer a-credential")]
    public void A_file_holds_a_credential_and_space_around_it(string text, string value) => WithFile(text, path =>
    {
        Assert.True(Credential.TryReadFile(path, out var credential, out var problem), problem);
        Assert.Equal((value, ""), (credential.HeaderValue, problem));
    });

    [Theory]
    [InlineData("")]
    [InlineData("\n")]
    [InlineData("short")]
    [InlineData("first-line\nsecond-line")]
    [InlineData("a-secret-with-\0")]
    public void A_file_with_anything_else_is_told_without_its_content(string text) => WithFile(text, path =>
    {
        Assert.False(Credential.TryReadFile(path, out var credential, out var problem));
        Assert.Null(credential);
        Assert.Contains(Credential.Form, problem, StringComparison.Ordinal);
        Assert.DoesNotContain("secret-with", problem, StringComparison.Ordinal);
    });

    [Fact]
    public void A_file_that_cannot_be_read_is_told() => Assert.All([Path.GetTempPath(), "/nowhere/at/all", "a\0b"], path =>
    {
        Assert.False(Credential.TryReadFile(path, out _, out var problem));
        Assert.NotEmpty(problem);
    });

    [Theory]
    [InlineData("12345678", "12345678")]
    [InlineData("Bearer 12345678", "12345678")]
    [InlineData("Token scheme 12345678", "12345678")]
    public void The_last_word_is_the_secret(string value, string secret)
    {
        Assert.True(Credential.TryParse(value, out var credential));
        Assert.Equal(value, credential.HeaderValue);
        Assert.True(credential.IsIn(Encoding.UTF8.GetBytes($"{{\"a\":\"{secret}\"}}")));
    }

    [Fact]
    public void Any_secret_is_found_in_base64_whatever_is_around_it() =>
        Gen.Select(Gen.String[Gen.Char['!', '~'], 8, 40], Gen.String[Gen.Char[' ', '~'], 0, 10], Gen.String[Gen.Char[' ', '~'], 0, 10])
            .Sample((secret, before, after) =>
            {
                Assert.True(Credential.TryParse(secret, out var credential));
                var encoded = Convert.ToBase64String(Encoding.UTF8.GetBytes(before + secret + after));
                Assert.True(credential.IsIn(Encoding.UTF8.GetBytes($"{{\"spec\":\"{encoded}\"}}")), encoded);
            });

    [Theory]
    [InlineData("spec")]
    [InlineData("\\ud800")]
    public void The_secret_is_found_in_a_name_as_well(string before)
    {
        Assert.True(Credential.TryParse(Secret, out var credential));
        var name = string.Concat(Secret.Select(c => $"\\u{(int)c:X4}"));
        Assert.True(credential.IsIn(Encoding.UTF8.GetBytes($"{{\"{before}\":1,\"{name}\":2}}")));
    }

    [Fact]
    public void The_secret_is_found_escaped_within_base64()
    {
        Assert.True(Credential.TryParse(Secret, out var credential));
        var json = JsonSerializer.Serialize(new { Authorization = Secret });
        Assert.True(credential.IsIn(JsonSerializer.SerializeToUtf8Bytes(new { spec = Encoding.UTF8.GetBytes(json) })));
    }

    [Fact]
    public void The_secret_is_found_escaped_within_an_array_of_bytes()
    {
        Assert.True(Credential.TryParse(Secret, out var credential));
        var json = JsonSerializer.Serialize(new { Authorization = Secret });
        Assert.True(credential.IsIn(Encoding.UTF8.GetBytes($"{{\"spec\":[{string.Join(',', Encoding.UTF8.GetBytes(json))}]}}")));
    }

    private static void WithFile(string text, Action<string> use)
    {
        var path = Path.GetTempFileName();
        try
        {
            File.WriteAllText(path, text);
            use(path);
        }
        finally
        {
            File.Delete(path);
        }
    }
}

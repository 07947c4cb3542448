using System.Buffers.Text;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using CsCheck;
using Gateway.Upstream;

namespace Gateway.Tests.Upstream;

[Trait("Kind", "Unit")]
public sealed class CredentialTests
{
    private const string Secret = "s3cret/key+with&odd\"chars\\";

    private static readonly JsonSerializerOptions Relaxed =
        new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    [Theory]
    [InlineData("")]
    [InlineData("short")]
    [InlineData("Bearer short")]
    [InlineData("with\nnewline")]
    [InlineData(" leading-space")]
    [InlineData("nön-ascii-credential")]
    public void A_value_that_cannot_be_sent_or_detected_is_not_a_credential(string value) =>
        Assert.False(Credential.TryParse(value, out _));

    [Fact]
    public void A_stream_cut_anywhere_never_reveals_the_start_of_the_secret()
    {
        Assert.True(Credential.TryParse($"Bearer {Secret}", out var credential));
        Func<char, string>[] ways =
        [
            c => c is '"' or '\\' ? $"\\{c}" : $"{c}", c => $"\\u{(int)c:x4}", c => $"\\u{(int)c:X4}",
            c => $"%{(int)c:X2}", c => $"%{(int)c:x2}",
            c => c is '"' ? "\\\\\\\"" : c is '\\' ? "\\\\\\\\" : $"\\\\u{(int)c:x4}",
        ];
        var (mixes, before) = (Gen.Int[0, 2].Array[Secret.Length], Gen.String[Gen.Char[' ', '~'], 0, 30]);
        Gen.Select(mixes, Gen.Int[0, ways.Length - 1], before).Sample((mixed, way, text) =>
        {
            var start = text.Replace('\\', '.').Replace('%', '.') + "<";
            // A JSON writer escapes some characters and not others.
            var form = way < 2 ? string.Concat(Secret.Select((c, i) => ways[mixed[i]](c)))
                : string.Concat(Secret.Select(ways[way]));
            var whole = Encoding.ASCII.GetBytes(start + form + ">");
            Assert.True(credential.IsIn(whole), form);
            var given = 0;
            for (var cut = start.Length; cut < whole.Length && !credential.IsIn(whole.AsSpan(0, cut)); cut++)
            {
                given = Math.Max(given, cut - credential.StartAtEndOf(whole.AsSpan(0, cut)));
            }
            Assert.InRange(given, 0, start.Length);
        }, iter: 2000);
    }

    [Fact]
    public void The_secret_is_found_in_any_JSON_escaping_and_in_base64()
    {
        Assert.True(Credential.TryParse($"Bearer {Secret}", out var credential));
        Gen.Select(Gen.Bool.Array[Secret.Length], Gen.String[Gen.Char['a', 'z'], 0, 40], Gen.Bool)
            .Sample((escape, before, encode) =>
        {
            var plain = $"{before}{Secret}{before}";
            var written = encode
                ? Convert.ToBase64String(Encoding.UTF8.GetBytes(plain))
                : before + string.Concat(
                Secret.Select((c, i) => escape[i] || c is '"' or '\\' ? $"\\u{(int)c:X4}" : $"{c}"));
            Assert.True(credential.IsIn(Encoding.UTF8.GetBytes($"{{\"a\":[\"{written}\"]}}")), written);
        });
    }

    [Theory]
    [InlineData(Secret)]
    [InlineData("secret+/cred&abc??>>>~~~x")]
    [InlineData("a%2Bb%25c\\u0041\\\"d/e")]
    public void The_secret_is_found_in_the_output_of_JSON_and_URL_encoders(string secret)
    {
        Assert.True(Credential.TryParse(secret, out var credential));
        Gen.String[Gen.Char['a', 'z'], 0, 9].Sample(before =>
        {
            var text = $"{before}{secret}{before}";
            var (bytes, url) = (Encoding.UTF8.GetBytes(text), Uri.EscapeDataString(text));
            var relaxed = JsonSerializer.Serialize(text, Relaxed);
            Assert.All((string[])[
                text, JsonSerializer.Serialize(text), relaxed, relaxed.Replace("/", "\\/", StringComparison.Ordinal),
                url, System.Net.WebUtility.UrlEncode(text), $"https://a.example/?b={url}",
                Convert.ToBase64String(bytes), JsonSerializer.Serialize(Convert.ToBase64String(bytes)),
                Uri.EscapeDataString(Convert.ToBase64String(bytes)), Base64Url.EncodeToString(bytes)],
                written => Assert.True(credential.IsIn(Encoding.UTF8.GetBytes($"{{\"a\":{written}}}")), written));
        });
    }

    [Fact]
    public void The_secret_is_found_in_JSON_within_a_JSON_string()
    {
        const string Token = "token+with/signs&more=";
        Assert.True(Credential.TryParse(Token, out var credential));
        var echo = JsonSerializer.Serialize(new { Authorization = Token });
        Assert.True(credential.IsIn(JsonSerializer.SerializeToUtf8Bytes(new { spec = echo })));
    }

    [Fact]
    public void A_byte_order_mark_or_a_lone_surrogate_does_not_hide_the_secret()
    {
        Assert.True(Credential.TryParse(Secret, out var credential));
        var escaped = string.Concat(Secret.Select(c => $"\\u{(int)c:x4}"));
        Assert.True(credential.IsIn(
            [0xEF, 0xBB, 0xBF, .. Encoding.UTF8.GetBytes($"{{\"a\":\"\\ud800\",\"b\":\"{escaped}\"}}")]));
    }

    [Fact]
    public void Text_without_the_secret_is_not_mistaken_for_it()
    {
        Assert.True(Credential.TryParse(Secret, out var credential));
        Gen.String[Gen.Char['!', '~'], 0, 200].Sample(text =>
            Assert.Equal(text.Contains(Secret, StringComparison.Ordinal),
            credential.IsIn(Encoding.UTF8.GetBytes(text))));
        Assert.False(credential.IsIn(Encoding.UTF8.GetBytes(Secret[1..])));
    }

    [Fact]
    public void A_credential_does_not_print_its_secret()
    {
        Assert.True(Credential.TryParse(Secret, out var credential));
        Assert.DoesNotContain(Secret, $"{credential}", StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a-credential", "a-credential")]
    [InlineData("  a-credential\r\n\n", "a-credential")]
    [InlineData("\uFEFFBearer a-credential\n", "Bearer a-credential")]
    public void White_space_and_a_byte_order_mark_around_a_credential_in_a_file_are_ignored(
        string text, string value) => WithFile(text, path =>
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
    public void An_invalid_credential_file_is_reported_without_its_content(string text) => WithFile(text, path =>
    {
        Assert.False(Credential.TryReadFile(path, out var credential, out var problem));
        Assert.Null(credential);
        Assert.Contains(Credential.Form, problem, StringComparison.Ordinal);
        Assert.DoesNotContain("secret-with", problem, StringComparison.Ordinal);
    });

    [Fact]
    public void A_file_that_cannot_be_read_is_reported() =>
        Assert.All([Path.GetTempPath(), "/nowhere/at/all", "a\0b"], path =>
    {
        Assert.False(Credential.TryReadFile(path, out _, out var problem));
        Assert.NotEmpty(problem);
    });

    [Theory]
    [InlineData("12345678", "12345678")]
    [InlineData("Bearer 12345678", "12345678")]
    [InlineData("Token scheme 12345678", "12345678")]
    public void The_text_after_the_last_space_is_the_secret(string value, string secret)
    {
        Assert.True(Credential.TryParse(value, out var credential));
        Assert.Equal(value, credential.HeaderValue);
        Assert.True(credential.IsIn(Encoding.UTF8.GetBytes($"{{\"a\":\"{secret}\"}}")));
    }

    [Fact]
    public void Any_secret_is_found_in_base64_with_any_text_around_it() =>
        Gen.Select(Gen.String[Gen.Char['!', '~'], 8, 40], Gen.String[Gen.Char[' ', '~'], 0, 10],
            Gen.String[Gen.Char[' ', '~'], 0, 10])
            .Sample((secret, before, after) =>
            {
                Assert.True(Credential.TryParse(secret, out var credential));
                var encoded = Convert.ToBase64String(Encoding.UTF8.GetBytes(before + secret + after));
                Assert.True(credential.IsIn(Encoding.UTF8.GetBytes($"{{\"spec\":\"{encoded}\"}}")), encoded);
            });

    [Theory]
    [InlineData("spec")]
    [InlineData("\\ud800")]
    public void The_secret_is_found_in_a_property_name(string before)
    {
        Assert.True(Credential.TryParse(Secret, out var credential));
        var name = string.Concat(Secret.Select(c => $"\\u{(int)c:X4}"));
        Assert.True(credential.IsIn(Encoding.UTF8.GetBytes($"{{\"{before}\":1,\"{name}\":2}}")));
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

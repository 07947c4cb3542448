using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Gateway.Upstream;

/// <summary>
/// An upstream credential: the value of <c>Authorization</c>, sent verbatim. It knows itself in every form in which
/// an upstream might echo it, and never prints itself.
/// </summary>
internal sealed class Credential
{
    public const string Form = "a credential is 8 to 4096 visible ASCII characters, with single spaces between words";

    private readonly Lazy<byte[][]> _echoes;

    private Credential(string value)
    {
        HeaderValue = value;
        // Wanted when the upstream answers, and not for every configuration that is looked at.
        _echoes = new(() => [.. Echoes(Secret(value))]);
        Fingerprint = Convert.ToHexStringLower(SHA256.HashData(Encoding.ASCII.GetBytes(value)).AsSpan(0, 8));
    }

    /// <summary>For the outbound request only.</summary>
    public string HeaderValue { get; }

    /// <summary>What stands for it where nodes tell each other of it: 64 bits of its SHA-256, in hexadecimal.</summary>
    public string Fingerprint { get; }

    /// <summary>The length of the longest of its forms, in bytes.</summary>
    public int LongestEcho => _echoes.Value.Max(echo => echo.Length);

    public static bool TryParse(string value, [NotNullWhen(true)] out Credential? credential)
    {
        var fine = value.Length <= 4096 && Secret(value).Length >= 8 && value[0] != ' ' && value[^1] != ' '
            && value.All(c => c is >= ' ' and <= '~') && !value.Contains("  ", StringComparison.Ordinal);
        credential = fine ? new Credential(value) : null;
        return fine;
    }

    /// <param name="known">Returned where it is what the file holds.</param>
    public static bool TryReadFile(string path, [NotNullWhen(true)] out Credential? credential, out string problem, Credential? known = null)
    {
        credential = null;
        problem = "";
        try
        {
            var text = File.ReadAllText(path).Trim();
            if (text == known?.HeaderValue) credential = known;
            else if (!TryParse(text, out credential)) problem = $"the file does not hold a credential: {Form}";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            // The path is not repeated: it may be a credential that was pasted here.
            problem = $"the file cannot be read ({e.GetType().Name})";
        }
        return credential is not null;
    }

    /// <summary>
    /// Whether this JSON holds the secret: as it is, escaped in a string or in JSON within a string, percent-encoded as
    /// in a URL, or within a larger value in base64, base64url or hexadecimal or as an array of bytes, as raw fields
    /// may be. It fails closed: nothing of the body is parsed.
    /// </summary>
    public bool IsIn(ReadOnlySpan<byte> json)
    {
        if (IsPlainlyIn(json)) return true;
        if (HasSpacedNumbers(json) && IsVerbatimIn(WithoutSpaces(json))) return true;
        for (var depth = 0; depth < 3 && json.Contains((byte)'\\'); depth++)
        {
            json = Unescaped(json);
            if (IsPlainlyIn(json)) return true;
        }
        return false;
    }

    /// <summary>
    /// How many bytes at the end of this may be the beginning of the secret, in any of these forms, an escape that is
    /// not complete included.
    /// </summary>
    public int BeginningAtEndOf(ReadOnlySpan<byte> bytes)
    {
        var tail = EchoTail.Of(bytes[^Math.Min(bytes.Length, 6 * LongestEcho)..]);
        var from = BeginningPlainlyAt(tail);
        if (tail.EndsInArray) from = Math.Min(from, tail.WithoutSpaces().BeginningOf(_echoes.Value));
        var length = tail.Length;
        for (var depth = 0; depth < 3 && tail.Contains((byte)'\\'); depth++)
        {
            tail = tail.Unescaped();
            from = Math.Min(from, BeginningPlainlyAt(tail));
        }
        return length - from;
    }

    private int BeginningPlainlyAt(EchoTail tail)
    {
        var from = tail.BeginningOf(_echoes.Value);
        for (var depth = 0; depth < 2 && tail.Contains((byte)'%'); depth++)
        {
            tail = tail.PercentDecoded();
            from = Math.Min(from, tail.BeginningOf(_echoes.Value));
        }
        return from;
    }

    private bool IsPlainlyIn(ReadOnlySpan<byte> bytes)
    {
        if (IsVerbatimIn(bytes)) return true;
        // A URL may be a parameter of another one.
        for (var depth = 0; depth < 2 && bytes.Contains((byte)'%'); depth++)
        {
            bytes = PercentDecoded(bytes);
            if (IsVerbatimIn(bytes)) return true;
        }
        return false;
    }

    private bool IsVerbatimIn(ReadOnlySpan<byte> bytes)
    {
        foreach (var echo in _echoes.Value)
        {
            if (bytes.IndexOf(echo) >= 0) return true;
        }
        return false;
    }

    // Whether there may be an array of bytes with spaces in it.
    private static bool HasSpacedNumbers(ReadOnlySpan<byte> json)
    {
        while (json.IndexOfAnyInRange((byte)0, (byte)' ') is >= 0 and var space)
        {
            var next = json[space..];
            next = next[Math.Max(0, next.IndexOfAnyExceptInRange((byte)0, (byte)' '))..];
            if (space > 0 && (IsDigit(json[space - 1]) ? next[0] == ',' : json[space - 1] == ',' && IsDigit(next[0]))) return true;
            if (next.Length == json.Length - space) return false;
            json = next;
        }
        return false;

        static bool IsDigit(byte b) => char.IsAsciiDigit((char)b);
    }

    private static byte[] WithoutSpaces(ReadOnlySpan<byte> json)
    {
        var kept = new byte[json.Length];
        var length = 0;
        foreach (var b in json)
        {
            if (b > ' ') kept[length++] = b;
        }
        return kept[..length];
    }

    private static byte[] PercentDecoded(ReadOnlySpan<byte> text)
    {
        var plain = new byte[text.Length];
        var length = 0;
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] == '%' && i + 2 < text.Length
                && Utf8Parser.TryParse(text.Slice(i + 1, 2), out byte code, out var digits, 'x') && digits == 2)
            {
                plain[length++] = code;
                i += 2;
            }
            else
            {
                plain[length++] = text[i];
            }
        }
        return plain[..length];
    }

    // Only ASCII matters; whatever else an escape stands for is no part of a secret.
    private static byte[] Unescaped(ReadOnlySpan<byte> json)
    {
        var plain = new byte[json.Length];
        var length = 0;
        for (var i = 0; i < json.Length; i++)
        {
            if (json[i] != '\\' || i + 1 == json.Length)
            {
                plain[length++] = json[i];
            }
            else if (json[i + 1] == 'u' && i + 5 < json.Length
                && Utf8Parser.TryParse(json.Slice(i + 2, 4), out ushort code, out var digits, 'x') && digits == 4 && code < 0x80)
            {
                plain[length++] = (byte)code;
                i += 5;
            }
            else
            {
                plain[length++] = json[++i];
            }
        }
        return plain[..length];
    }

    public override string ToString() => "(credential)";

    // "Bearer abc": abc alone is the secret.
    private static string Secret(string value) => value[(value.LastIndexOf(' ') + 1)..];

    private static IEnumerable<byte[]> Echoes(string secret)
    {
        yield return Encoding.ASCII.GetBytes(secret);

        // Within JSON that is itself written as bytes, escapes are out of sight: there the secret has these forms.
        foreach (var form in EscapedForms(secret).Distinct())
        {
            var bytes = Encoding.ASCII.GetBytes(form);
            yield return Encoding.ASCII.GetBytes(string.Join(',', bytes));
            yield return Encoding.ASCII.GetBytes(Convert.ToHexString(bytes));
            yield return Encoding.ASCII.GetBytes(Convert.ToHexStringLower(bytes));

            // In base64 the same bytes look different at each of three offsets; the characters at either end also
            // depend on the neighbours, so they are left out.
            for (var offset = 0; offset < 3; offset++)
            {
                var padded = Convert.ToBase64String([.. new byte[offset], .. bytes]);
                var first = (offset * 8 + 5) / 6;
                var whole = (offset + bytes.Length) * 8 / 6;
                var visible = padded[first..whole];
                yield return Encoding.ASCII.GetBytes(visible);
                if (visible.AsSpan().ContainsAny('+', '/')) yield return Encoding.ASCII.GetBytes(visible.Replace('+', '-').Replace('/', '_'));
            }
        }
    }

    // What writers of JSON escape beyond the quote and the backslash: nothing; '<', '>' and '&' with small digits (Go)
    // or large ones; these and more (.NET); the slash (PHP).
    private static IEnumerable<string> EscapedForms(string secret)
    {
        var least = secret.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal);
        yield return secret;
        yield return least;
        yield return Escape(least, "<>&", "x4");
        yield return Escape(least, "<>&", "X4");
        yield return JsonEncodedText.Encode(secret).ToString();
        yield return least.Replace("/", "\\/", StringComparison.Ordinal);
    }

    private static string Escape(string text, string characters, string digits) => string.Concat(text.Select(c =>
        characters.Contains(c, StringComparison.Ordinal) ? $"\\u{((int)c).ToString(digits, CultureInfo.InvariantCulture)}" : $"{c}"));
}

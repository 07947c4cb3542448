using System.Buffers;
using System.Globalization;
using System.Text;

namespace Gateway.Upstream;

/// <summary>
/// Searches text for a secret in the forms in which servers echo one: verbatim, JSON-escaped (also in JSON within a
/// JSON string), percent-encoded (RFC 3986, section 2.1), and within a larger value in base64 or base64url (RFC 4648).
/// The text is not parsed, so malformed text hides nothing.
/// </summary>
internal sealed class EchoedForms
{
    // The longest escape of one character: \\\u002B, in JSON within a JSON string.
    private const int MaxBackslashes = 3, MaxEscape = 8;

    private static readonly SearchValues<byte> HexDigits = SearchValues.Create("0123456789abcdefABCDEF"u8);

    private readonly byte[][] _forms;
    private readonly SearchValues<byte> _starts;

    public EchoedForms(string secret)
    {
        _forms = [.. FormsOf(secret).Select(Encoding.ASCII.GetBytes)];
        _starts = SearchValues.Create([.. _forms.Select(form => form[0]), (byte)'\\', (byte)'%']);
        MaxLength = MaxEscape * _forms.Max(form => form.Length);
    }

    [Flags]
    private enum Escapes { None = 0, Json = 1, Percent = 2 }

    private enum Match { None, Partial, Whole }

    /// <summary>The length of the longest form with every character escaped, in bytes.</summary>
    public int MaxLength { get; }

    public bool IsIn(ReadOnlySpan<byte> text)
    {
        foreach (var form in _forms)
        {
            if (text.IndexOf(form) >= 0) return true;
        }
        return text.ContainsAny((byte)'\\', (byte)'%') && Find(text, Match.Whole) >= 0;
    }

    /// <summary>The number of bytes at the end of a text that may be the start of the secret in any form.</summary>
    public int StartAtEndOf(ReadOnlySpan<byte> text)
    {
        var tail = text[^Math.Min(text.Length, MaxLength)..];
        var start = Find(tail, Match.Partial);
        return start < 0 ? 0 : tail.Length - start;
    }

    private static IEnumerable<string> FormsOf(string secret)
    {
        yield return secret;
        // Base64 of the same bytes differs at each of three offsets. The characters at either end also depend on the
        // neighbouring bytes, so they are left out.
        for (var offset = 0; offset < 3; offset++)
        {
            var padded = Convert.ToBase64String([.. new byte[offset], .. Encoding.ASCII.GetBytes(secret)]);
            var base64 = padded[((offset * 8 + 5) / 6)..((offset + secret.Length) * 8 / 6)];
            yield return base64;
            yield return base64.Replace('+', '-').Replace('/', '_');
        }
    }

    private int Find(ReadOnlySpan<byte> text, Match wanted)
    {
        for (var at = 0; text[at..].IndexOfAny(_starts) is >= 0 and var next; at++)
        {
            at += next;
            foreach (var form in _forms)
            {
                for (var escapes = Escapes.None; escapes <= (Escapes.Json | Escapes.Percent); escapes++)
                {
                    if (Compare(text[at..], form, escapes) == wanted) return at;
                }
            }
        }
        return -1;
    }

    private static Match Compare(ReadOnlySpan<byte> text, byte[] form, Escapes escapes)
    {
        foreach (var expected in form)
        {
            var (value, length) = Next(text, expected, escapes);
            if (length == 0) return Match.Partial;
            if (value != expected) return Match.None;
            text = text[length..];
        }
        return Match.Whole;
    }

    /// <summary>Returns the next character, and its length in bytes; 0 if the text ends within the character.</summary>
    private static (int Value, int Length) Next(ReadOnlySpan<byte> text, byte expected, Escapes escapes)
    {
        if (text.IsEmpty) return default;
        if (text[0] == '%' && escapes.HasFlag(Escapes.Percent)) return Hexadecimal(text, 1, 2);
        if (text[0] != '\\' || !escapes.HasFlag(Escapes.Json)) return (text[0], 1);
        if (expected == '\\' && text is [_, (byte)'\\', ..]) return ('\\', 2);
        var backslashes = 1;
        while (backslashes < Math.Min(MaxBackslashes, text.Length) && text[backslashes] == '\\') backslashes++;
        return backslashes == text.Length ? default
            : text[backslashes] == 'u' ? Hexadecimal(text, backslashes + 1, 4)
            : (text[backslashes], backslashes + 1);
    }

    /// <summary>Returns the character with a hexadecimal code; without a code, the character before it.</summary>
    private static (int Value, int Length) Hexadecimal(ReadOnlySpan<byte> text, int from, int count)
    {
        var digits = text[from..Math.Min(text.Length, from + count)];
        if (digits.ContainsAnyExcept(HexDigits)) return (text[from - 1], from);
        if (digits.Length < count) return default;
        return (int.Parse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture), from + count);
    }
}

using System.Globalization;
using System.Text;

namespace Gateway.Upstream;

/// <summary>
/// The end of what has come of a body, decoded, with where each byte of it began: a secret may begin in it whose rest
/// is to come.
/// </summary>
/// <param name="from">For each byte, where it began in what came.</param>
/// <param name="open">Where an escape begins that is not complete; the end, where there is none.</param>
internal sealed class EchoTail(byte[] bytes, int[] from, int open, int length)
{
    /// <summary>Of what came, undecoded.</summary>
    public int Length => length;

    /// <summary>Whether it may end within an array of bytes.</summary>
    public bool EndsInArray => bytes.AsSpan().TrimEnd(" \t\r\n"u8) is [.., (byte)',' or (>= (byte)'0' and <= (byte)'9')];

    public static EchoTail Of(ReadOnlySpan<byte> raw) =>
        new(raw.ToArray(), [.. Enumerable.Range(0, raw.Length)], raw.Length, raw.Length);

    public bool Contains(byte one) => bytes.AsSpan().Contains(one);

    /// <summary>Where, in what came, the longest beginning of any of these starts that it ends with.</summary>
    public int BeginningOf(byte[][] echoes)
    {
        var longest = 0;
        foreach (var echo in echoes)
        {
            for (var count = Math.Min(echo.Length - 1, bytes.Length); count > longest; count--)
            {
                if (bytes[^count] == echo[0] && bytes.AsSpan().EndsWith(echo.AsSpan(0, count))) longest = count;
            }
        }
        return longest == 0 ? open : Math.Min(open, from[bytes.Length - longest]);
    }

    public EchoTail WithoutSpaces() => Decoded((_, one) => one > ' ' ? (one, 1) : (null, 1));

    public EchoTail PercentDecoded() => Decoded((rest, one) =>
        one != '%' ? (one, 1)
        : rest.Length < 3 ? IsHex(rest[1..]) ? (null, 0) : (one, 1)
        : IsHex(rest[1..3]) ? (Value(rest[1..3]), 3) : (one, 1));

    public EchoTail Unescaped() => Decoded((rest, one) =>
        one != '\\' ? (one, 1)
        : rest.Length == 1 ? (null, 0)
        : rest[1] != 'u' ? (rest[1], 2)
        : rest.Length < 6 ? IsHex(rest[2..]) ? (null, 0) : (rest[1], 2)
        : IsHex(rest[2..6]) && rest[2] == '0' && rest[3] == '0' && Value(rest[4..6]) < 0x80 ? (Value(rest[4..6]), 6) : (rest[1], 2));

    /// <summary>
    /// What the first bytes of the rest stand for, if anything, and how many they are; 0: more is to come.
    /// </summary>
    private delegate (int? Value, int Taken) Step(ReadOnlySpan<byte> rest, byte one);

    private EchoTail Decoded(Step step)
    {
        var (decoded, starts) = (new List<byte>(bytes.Length), new List<int>(bytes.Length));
        for (var i = 0; i < bytes.Length;)
        {
            var (value, taken) = step(bytes.AsSpan(i), bytes[i]);
            if (taken == 0) return new EchoTail([.. decoded], [.. starts], Math.Min(open, from[i]), length);
            if (value is { } one)
            {
                decoded.Add((byte)one);
                starts.Add(from[i]);
            }
            i += taken;
        }
        return new EchoTail([.. decoded], [.. starts], open, length);
    }

    private static bool IsHex(ReadOnlySpan<byte> digits)
    {
        foreach (var digit in digits)
        {
            if (!char.IsAsciiHexDigit((char)digit)) return false;
        }
        return true;
    }

    private static int Value(ReadOnlySpan<byte> digits) => int.Parse(Encoding.ASCII.GetString(digits), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
}

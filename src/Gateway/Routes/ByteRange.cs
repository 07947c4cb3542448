using System.Globalization;
using System.Net.Http.Headers;

namespace Gateway.Routes;

/// <summary>
/// The one range of bytes that a caller asks for (RFC 9110, section 14.1.2). The upstream is asked for a wider range,
/// so that a credential is found that begins before the caller's range or ends after it. Callers could otherwise read a
/// credential in pieces that are too short to be recognised.
/// </summary>
/// <param name="First">The first byte; null: the last <paramref name="Last"/> bytes are asked for.</param>
/// <param name="Last">The last byte; null: all bytes up to the end.</param>
internal readonly record struct ByteRange(long? First, long? Last)
{
    private const string Unit = "bytes=";

    // Sums with a margin stay within 64 bits.
    private const int MaxDigits = 18;

    /// <summary>
    /// Parses a <c>Range</c> field. A server may ignore the field, and the gateway ignores several ranges, other units
    /// and malformed values.
    /// </summary>
    public static bool TryParse(string field, out ByteRange range)
    {
        range = default;
        if (!field.StartsWith(Unit, StringComparison.OrdinalIgnoreCase)) return false;
        var text = field.AsSpan(Unit.Length).Trim(" \t");
        var dash = text.IndexOf('-');
        if (dash < 0 || !TryNumber(text[..dash], out var first) || !TryNumber(text[(dash + 1)..], out var last))
        {
            return false;
        }
        range = new ByteRange(first, last);
        return first is null ? last is not null : !(last < first);
    }

    /// <summary>The value of <c>Range</c> for the upstream: this range with a margin on both sides.</summary>
    public string Widened(int margin) => First is { } first
        ? $"{Unit}{Math.Max(0, first - margin)}-{Last + margin}" : $"{Unit}-{Last + margin}";

    /// <summary>Finds this range in an answer to the wider one.</summary>
    /// <returns>Null if the answer does not hold exactly the wider range.</returns>
    public Slice? FindIn(ContentRangeHeaderValue? answered, int margin)
    {
        if (answered is not { Unit: "bytes", From: { } from, To: { } to }) return null;
        if (answered.Length is not { } size)
        {
            // Without the size, nothing shows whether more bytes follow.
            return First is { } start && Last is { } end && from == Math.Max(0, start - margin) && to == end + margin
                ? new Slice(start, end, Size: null, start - from) : null;
        }
        var first = First ?? Math.Max(0, size - Last!.Value);
        var last = First is null ? size - 1 : Math.Min(Last ?? size - 1, size - 1);
        var isWhole = from == Math.Max(0, first - margin) && to == Math.Min(last + margin, size - 1);
        return isWhole ? new Slice(first, last, size, first - from) : null;
    }

    private static bool TryNumber(ReadOnlySpan<char> text, out long? number)
    {
        number = null;
        if (text.IsEmpty) return true;
        if (text.Length > MaxDigits || text.ContainsAnyExceptInRange('0', '9')) return false;
        number = long.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture);
        return true;
    }

    /// <summary>The caller's range within the upstream's answer.</summary>
    /// <param name="First">The first byte, counted from the beginning of the representation.</param>
    /// <param name="Last">The last byte; before <paramref name="First"/> if the range is not satisfiable.</param>
    /// <param name="Size">Bytes of the whole representation; null if the upstream does not say.</param>
    /// <param name="Skip">Bytes of the answer before the range.</param>
    public readonly record struct Slice(long First, long Last, long? Size, long Skip)
    {
        public long Length => Math.Max(0, Last - First + 1);

        /// <summary>The value of <c>Content-Range</c> for the caller.</summary>
        public string ContentRange =>
            Length == 0 ? $"bytes */{Size}" : $"bytes {First}-{Last}/{(Size is { } size ? $"{size}" : "*")}";
    }
}

using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Gateway.Jobs;

/// <summary>
/// Reads when a signed URL stops working, from its query: AWS Signature V4 (<c>X-Amz-Date</c>, <c>X-Amz-Expires</c>),
/// Google Cloud Storage V4 and V2 (<c>X-Goog-…</c>; <c>GoogleAccessId</c>, <c>Expires</c>), AWS CloudFront and
/// Signature V2 (<c>Expires</c>, <c>Signature</c>), Azure shared access signatures (<c>se</c>, <c>sig</c>).
/// </summary>
internal static partial class SignedUrl
{
    private const DateTimeStyles Utc = DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal;

    private static readonly SearchValues<char> UrlEnd = SearchValues.Create(" \t\r\n\"'<>\\,?");

    private static readonly string[] AzureTimes =
        ["yyyy-MM-dd'T'HH:mm:ssK", "yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK", "yyyy-MM-dd'T'HH:mmK", "yyyy-MM-dd"];

    /// <summary>When the first of the signed URLs within this string value expires; null where there is none.</summary>
    public static DateTimeOffset? ExpiryOf(ref Utf8JsonReader reader)
    {
        // Nearly every string of a job stops here. An ampersand may be written escaped, and a question mark, too.
        var raw = reader.ValueSpan;
        if (!reader.ValueIsEscaped && !raw.Contains((byte)'?') && !(MayBeBase64(raw.Length) && MayHoldUrl(raw))) return null;
        var text = JobFacts.TextOf(ref reader) ?? Encoding.UTF8.GetString(raw);
        return ExpiryIn(MayBeBase64(text.Length) && Decode(text) is { } json ? json : text);
    }

    // What is within base64 without making text of it.
    private static bool MayHoldUrl(ReadOnlySpan<byte> base64)
    {
        var bytes = ArrayPool<byte>.Shared.Rent(base64.Length);
        try
        {
            return Base64.DecodeFromUtf8(base64, bytes, out _, out var length) == OperationStatus.Done && bytes.AsSpan(0, length).Contains((byte)'?');
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes);
        }
    }

    /// <summary>The same for text that may hold several URLs, or JSON that holds them.</summary>
    public static DateTimeOffset? ExpiryIn(string text)
    {
        // JSON within JSON may have its ampersands escaped.
        text = text.Replace("\\u0026", "&", StringComparison.OrdinalIgnoreCase);
        DateTimeOffset? first = null;
        for (var mark = text.IndexOf('?', StringComparison.Ordinal); mark >= 0;
            mark = text.IndexOf('?', mark + 1))
        {
            var rest = text.AsSpan(mark + 1);
            var end = rest.IndexOfAny(UrlEnd);
            var query = end < 0 ? rest : rest[..end];
            if (query.Contains('=') && ExpiryOfQuery(query.ToString()) is { } expiry && (first is null || expiry < first)) first = expiry;
        }
        return first;
    }

    private static DateTimeOffset? ExpiryOfQuery(string query)
    {
        var fields = Fields(query);
        if (fields.ContainsKey("X-Amz-Signature")) return From(fields, "X-Amz-Date", "X-Amz-Expires");
        if (fields.ContainsKey("X-Goog-Signature")) return From(fields, "X-Goog-Date", "X-Goog-Expires");
        if (fields.ContainsKey("Signature") && fields.TryGetValue("Expires", out var seconds)) return Epoch(seconds);
        if (fields.ContainsKey("Signature") && fields.TryGetValue("Policy", out var policy)) return CloudFrontPolicy(policy);
        if (fields.ContainsKey("sig") && fields.TryGetValue("se", out var end)) return Azure(end);
        return null;
    }

    private static Dictionary<string, string> Fields(string query)
    {
        var fields = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach (var pair in query.Split('&'))
        {
            var equals = pair.IndexOf('=', StringComparison.Ordinal);
            if (equals > 0) fields[pair[..equals]] = Uri.UnescapeDataString(pair[(equals + 1)..]);
        }
        return fields;
    }

    private static DateTimeOffset? From(Dictionary<string, string> fields, string date, string seconds) =>
        fields.TryGetValue(date, out var signed) && fields.TryGetValue(seconds, out var lifetime)
        && DateTimeOffset.TryParseExact(signed, "yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture, Utc, out var start)
        && int.TryParse(lifetime, NumberStyles.None, CultureInfo.InvariantCulture, out var length)
            ? start.Year < 9900 ? start.AddSeconds(length) : DateTimeOffset.MaxValue
            : null;

    private static DateTimeOffset? Epoch(string seconds) =>
        long.TryParse(seconds, NumberStyles.None, CultureInfo.InvariantCulture, out var since)
        && since <= DateTimeOffset.MaxValue.ToUnixTimeSeconds()
            ? DateTimeOffset.FromUnixTimeSeconds(since)
            : null;

    private static DateTimeOffset? Azure(string end) =>
        DateTimeOffset.TryParseExact(end, AzureTimes, CultureInfo.InvariantCulture, Utc, out var time) ? time : null;

    // A custom policy is JSON in base64 with '+', '=' and '/' replaced by '-', '_' and '~'.
    private static DateTimeOffset? CloudFrontPolicy(string policy)
    {
        if (Decode(policy.Replace('-', '+').Replace('_', '=').Replace('~', '/')) is not { } json) return null;
        return DateLessThan().Matches(json).Select(match => Epoch(match.Groups[1].Value)).Min();
    }

    [GeneratedRegex(@"""DateLessThan""\s*:\s*\{\s*""AWS:EpochTime""\s*:\s*(\d+)")]
    private static partial Regex DateLessThan();

    // A raw field that came as bytes; no signed URL fits in less.
    private static bool MayBeBase64(int length) => length >= 64 && length % 4 == 0;

    private static string? Decode(string base64)
    {
        var bytes = new byte[base64.Length];
        return Convert.TryFromBase64String(base64, bytes, out var length) ? Encoding.UTF8.GetString(bytes, 0, length) : null;
    }
}

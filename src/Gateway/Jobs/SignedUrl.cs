using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Gateway.Jobs;

/// <summary>
/// Reads the expiry of a signed URL from its query. The names of parameters are compared without case.
/// <code>
/// AWS Signature V4, Google V4, Alibaba OSS V4 and others   X-{vendor}-Date, -Expires, -Signature
/// AWS V2, CloudFront, Google V2 and Cloud CDN, OSS V1, OBS  Expires, Signature; Policy, Signature
/// Azure shared access signatures                          se, sig; ske for a user delegation key
/// Tencent COS                                             q-sign-time, q-signature
/// nginx, Bunny, imgix, KeyCDN and others                  expires, expire or exp beside a token, hash or signature
/// Akamai, Google Media CDN                                exp=…~…~hmac=… within a parameter
/// Fastly                                                  token={expiry}_{signature}
/// JSON Web Tokens (RFC 7519)                              the claim exp of a token in any parameter
/// </code>
/// A security token in the URL shows that a session's keys signed it. The session may end before the URL expires, so
/// such a URL counts as valid for at most an hour, the default length of a session.
/// </summary>
internal static partial class SignedUrl
{
    // Longer than any signed URL with a session token.
    private const int LongestQuery = 16 * 1024;

    // A signed URL may be a parameter of another URL.
    private const int MaxDepth = 2;

    private const string SignatureTime = "yyyyMMdd'T'HHmmss'Z'";

    private const DateTimeStyles Utc = DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal;

    private static readonly TimeSpan SessionLength = TimeSpan.FromHours(1);

    private static readonly SearchValues<char> UrlEnd = SearchValues.Create(" \t\r\n\"'<>\\,?#()[]{}|^`");

    private static readonly SearchValues<char> Hexadecimal = SearchValues.Create("0123456789abcdefABCDEF");

    // Every form of a signed URL contains one of these.
    private static readonly SearchValues<string> Hints = SearchValues.Create(
        ["sig", "token", "exp", "hmac", "md5", "hash", "eyJ", "%3F"], StringComparison.OrdinalIgnoreCase);

    private static readonly string[] AzureTimes =
        ["yyyy-MM-dd'T'HH:mm:ssK", "yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK", "yyyy-MM-dd'T'HH:mmK", "yyyy-MM-dd"];

    private static readonly string[] SimpleExpiries = ["expires", "expire", "expiry", "exp"];

    private static readonly string[] SimpleSignatures =
        ["signature", "sign", "sig", "token", "hash", "md5", "hmac", "mac", "s"];

    /// <summary>Adds the expiry of each signed URL in a JSON string.</summary>
    public static void Read(ref Utf8JsonReader reader, ref UrlExpiries found)
    {
        // Nearly every string of a job ends here. An escaped string may contain an escaped question mark.
        var raw = reader.ValueSpan;
        if (!reader.ValueIsEscaped && !raw.Contains((byte)'?') && !(MayBeBase64(raw.Length) && MayHoldUrl(raw))) return;
        var text = JobFacts.TextOf(ref reader) ?? Encoding.UTF8.GetString(raw);
        Read(MayBeBase64(text.Length) && Decode(text) is { } json ? json : text, ref found);
    }

    /// <summary>Adds the expiry of each signed URL in a text, which may be JSON with escaped ampersands.</summary>
    public static void Read(string text, ref UrlExpiries found) =>
        Read(text.Replace("\\u0026", "&", StringComparison.OrdinalIgnoreCase), ref found, depth: 0);

    private static void Read(ReadOnlySpan<char> text, ref UrlExpiries found, int depth)
    {
        for (var mark = text.IndexOf('?'); mark >= 0; mark = text.IndexOf('?'))
        {
            text = text[(mark + 1)..];
            var end = text.IndexOfAny(UrlEnd);
            var query = end < 0 ? text : text[..end];
            if (query.Length > LongestQuery || !query.Contains('=') || !query.ContainsAny(Hints)) continue;
            var fields = Fields(query);
            if (ExpiryOf(fields, found.Now) is { } expiry) found.Add(expiry);
            if (depth == MaxDepth) continue;
            foreach (var value in fields.Values)
            {
                if (value.Contains('?', StringComparison.Ordinal)) Read(value, ref found, depth + 1);
            }
        }
    }

    // Decodes base64 without allocating a string.
    private static bool MayHoldUrl(ReadOnlySpan<byte> base64)
    {
        var bytes = ArrayPool<byte>.Shared.Rent(base64.Length);
        try
        {
            return Base64.DecodeFromUtf8(base64, bytes, out _, out var length) == OperationStatus.Done
                && bytes.AsSpan(0, length).Contains((byte)'?');
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes);
        }
    }

    private static Dictionary<string, string> Fields(ReadOnlySpan<char> query)
    {
        var fields = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach (var part in query.Split('&'))
        {
            var pair = query[part];
            // HTML escapes an ampersand as &amp;.
            if (pair.StartsWith("amp;", StringComparison.Ordinal)) pair = pair[4..];
            var equals = pair.IndexOf('=');
            if (equals <= 0) continue;
            fields[Uri.UnescapeDataString(pair[..equals])] = Uri.UnescapeDataString(pair[(equals + 1)..]);
        }
        return fields;
    }

    private static DateTimeOffset? ExpiryOf(Dictionary<string, string> fields, DateTimeOffset now)
    {
        DateTimeOffset? first = null;
        foreach (var (name, value) in fields)
        {
            var isVersion4 = Starts(name, "X-") && Ends(name, "-Signature");
            first = Earlier(first, isVersion4 ? OfVersion4(fields, name[..^"Signature".Length]) : OfToken(value));
        }
        if (fields.TryGetValue("Policy", out var policy) && fields.ContainsKey("Signature"))
        {
            first = Earlier(first, CloudFrontPolicy(policy));
        }
        if (fields.TryGetValue("q-sign-time", out var times) && fields.ContainsKey("q-signature"))
        {
            first = Earlier(first, Epoch(times.AsSpan(times.IndexOf(';', StringComparison.Ordinal) + 1)));
        }
        if (fields.ContainsKey("sig"))
        {
            first = Earlier(first, Azure(fields.GetValueOrDefault("se")));
            first = Earlier(first, Azure(fields.GetValueOrDefault("ske")));
        }
        if (Array.Exists(SimpleSignatures, fields.ContainsKey))
        {
            foreach (var name in SimpleExpiries) first = Earlier(first, Epoch(fields.GetValueOrDefault(name)));
        }
        // A URL without a signature date may have just been signed.
        var isUndated = fields.Keys.Any(IsSession) && !fields.Keys.Any(name => Ends(name, "-Date"));
        return first is not null && isUndated ? Earlier(first, now + SessionLength) : first;
    }

    private static DateTimeOffset? OfVersion4(Dictionary<string, string> fields, string prefix)
    {
        var signed = fields.GetValueOrDefault(prefix + "Date");
        var lifetime = fields.GetValueOrDefault(prefix + "Expires");
        if (!DateTimeOffset.TryParseExact(signed, SignatureTime, CultureInfo.InvariantCulture, Utc, out var start)
            || !int.TryParse(lifetime, NumberStyles.None, CultureInfo.InvariantCulture, out var length)) return null;
        if (fields.Keys.Any(IsSession)) length = Math.Min(length, (int)SessionLength.TotalSeconds);
        return start.Year < 9900 ? start.AddSeconds(length) : DateTimeOffset.MaxValue;
    }

    private static bool IsSession(string name) => Ends(name, "security-token");

    private static bool Starts(string name, string with) => name.StartsWith(with, StringComparison.OrdinalIgnoreCase);

    private static bool Ends(string name, string with) => name.EndsWith(with, StringComparison.OrdinalIgnoreCase);

    // Akamai tokens, Fastly tokens and JSON Web Tokens contain their own expiry.
    private static DateTimeOffset? OfToken(string value)
    {
        if (value.Contains("eyJ", StringComparison.Ordinal)) return OfJsonWebToken(value);
        if (value.Contains('~', StringComparison.Ordinal))
        {
            var isSigned = value.Contains("hmac=", StringComparison.OrdinalIgnoreCase)
                || value.Contains("Signature=", StringComparison.OrdinalIgnoreCase);
            return isSigned ? Epoch(TokenExpiry().Match(value).Groups[1].Value) : null;
        }
        return value.IndexOf('_', StringComparison.Ordinal) is 10 and var end
            && value.AsSpan(end + 1) is { Length: >= 16 } digest
            && !digest.TrimStart("0x").ContainsAnyExcept(Hexadecimal)
            ? Epoch(value.AsSpan(0, end)) : null;
    }

    private static DateTimeOffset? OfJsonWebToken(string token)
    {
        foreach (var part in token.Split('.'))
        {
            if (!part.StartsWith("eyJ", StringComparison.Ordinal) || !Base64Url.IsValid(part)) continue;
            try
            {
                using var claims = JsonDocument.Parse(Base64Url.DecodeFromChars(part));
                var root = claims.RootElement;
                if (root.ValueKind != JsonValueKind.Object || !root.TryGetProperty("exp", out var expiry)) continue;
                if (expiry.ValueKind == JsonValueKind.Number) return Epoch(expiry.GetDouble());
            }
            catch (JsonException)
            {
                // The value only looks like a JSON Web Token.
            }
        }
        return null;
    }

    private static DateTimeOffset? Epoch(ReadOnlySpan<char> seconds) =>
        long.TryParse(seconds, NumberStyles.None, CultureInfo.InvariantCulture, out var since) ? Epoch(since) : null;

    // A smaller number is not a time of this millennium.
    private static DateTimeOffset? Epoch(double seconds) =>
        seconds is >= 1e9 and <= 1e11 ? DateTimeOffset.FromUnixTimeSeconds((long)seconds) : null;

    private static DateTimeOffset? Azure(string? end) =>
        DateTimeOffset.TryParseExact(end, AzureTimes, CultureInfo.InvariantCulture, Utc, out var time)
            ? time : Epoch(end);

    // A custom policy is JSON in base64 with '+', '=' and '/' replaced by '-', '_' and '~'.
    private static DateTimeOffset? CloudFrontPolicy(string policy)
    {
        if (Decode(policy.Replace('-', '+').Replace('_', '=').Replace('~', '/')) is not { } json) return null;
        return DateLessThan().Matches(json).Select(match => Epoch(match.Groups[1].Value)).Min();
    }

    private static DateTimeOffset? Earlier(DateTimeOffset? one, DateTimeOffset? other) =>
        one is null || other < one ? other ?? one : one;

    [GeneratedRegex(@"""DateLessThan""\s*:\s*\{\s*""AWS:EpochTime""\s*:\s*(\d+)")]
    private static partial Regex DateLessThan();

    [GeneratedRegex(@"(?:^|~)(?:exp|expires)=([0-9]+)(?:~|$)", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex TokenExpiry();

    // A raw field may be base64. A signed URL needs at least 64 characters of it.
    private static bool MayBeBase64(int length) => length >= 64 && length % 4 == 0;

    private static string? Decode(string base64)
    {
        var bytes = new byte[base64.Length];
        return Convert.TryFromBase64String(base64, bytes, out var length)
            ? Encoding.UTF8.GetString(bytes, 0, length) : null;
    }
}

using System.Collections.Concurrent;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace Gateway.Caching;

/// <summary>Reads <c>Accept-Encoding</c> (RFC 9110, section 12.5.3).</summary>
internal static class ContentNegotiation
{
    private const int MaxCachedValues = 256, MaxCachedLength = 128;

    /// <summary>The codings of an answer that has none.</summary>
    public static readonly ContentCoding[] None = [ContentCoding.Identity];

    // Clients send few different values.
    private static readonly ConcurrentDictionary<string, ContentCoding[]> Parsed = new(StringComparer.Ordinal);

    /// <summary>
    /// Returns the codings that a client accepts, the preferred one first. Between equal preferences, the coding that
    /// compresses better comes first. The list always ends with identity, even if the client refuses it: a server may
    /// then answer without a coding.
    /// </summary>
    public static ContentCoding[] Wanted(IHeaderDictionary headers)
    {
        var accepted = headers.AcceptEncoding;
        if (accepted.Count == 0) return None;
        var only = accepted.Count == 1 ? accepted[0] : null;
        if (only is not null && Parsed.TryGetValue(only, out var known)) return known;
        var wanted = Read(accepted);
        if (only is { Length: <= MaxCachedLength } && Parsed.Count < MaxCachedValues) Parsed.TryAdd(only, wanted);
        return wanted;
    }

    private static ContentCoding[] Read(StringValues accepted)
    {
        if (!StringWithQualityHeaderValue.TryParseList(accepted, out var items)) return None;
        ReadOnlySpan<(ContentCoding Coding, double Weight)> all =
        [
            (ContentCoding.Brotli, WeightOf("br", items)),
            (ContentCoding.Gzip, WeightOf("gzip", items)),
            (ContentCoding.Identity, WeightOf("identity", items)),
        ];
        var acceptable = all.ToArray().Where(one => one.Weight > 0).OrderByDescending(one => one.Weight);
        return [.. acceptable.Select(one => one.Coding).Append(ContentCoding.Identity).Distinct()];
    }

    private static double WeightOf(string coding, IList<StringWithQualityHeaderValue> accepted)
    {
        double? any = null;
        foreach (var item in accepted)
        {
            if (item.Value.Equals(coding, StringComparison.OrdinalIgnoreCase)) return item.Quality ?? 1;
            if (item.Value.Equals("*", StringComparison.Ordinal)) any = item.Quality ?? 1;
        }
        // Identity is acceptable unless the client refuses it. If the client does not name it, any named coding wins.
        return any ?? (coding == "identity" ? 0.0001 : 0);
    }
}

using System.Collections.Concurrent;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace Gateway.Caching;

/// <summary>What <c>Accept-Encoding</c> asks for (RFC 9110, section 12.5.3).</summary>
internal static class ContentNegotiation
{
    private const int MostRemembered = 256, LongestRemembered = 128;

    private static readonly ContentCoding[] IdentityAlone = [ContentCoding.Identity];

    // Clients are of few kinds, and each kind says the same every time.
    private static readonly ConcurrentDictionary<string, ContentCoding[]> Remembered = new(StringComparer.Ordinal);

    /// <summary>
    /// The codings that a client accepts, the most wanted first, and of equally wanted ones the one that compresses
    /// best. Identity is among them even where it is refused, for then it is what is left, as it may.
    /// </summary>
    public static ContentCoding[] Wanted(IHeaderDictionary headers)
    {
        var accepted = headers.AcceptEncoding;
        if (accepted.Count == 0) return IdentityAlone;
        var only = accepted.Count == 1 ? accepted[0] : null;
        if (only is not null && Remembered.TryGetValue(only, out var known)) return known;
        var wanted = Read(accepted);
        if (only is { Length: <= LongestRemembered } && Remembered.Count < MostRemembered) Remembered.TryAdd(only, wanted);
        return wanted;
    }

    private static ContentCoding[] Read(StringValues accepted)
    {
        if (!StringWithQualityHeaderValue.TryParseList(accepted, out var items)) return IdentityAlone;
        ReadOnlySpan<(ContentCoding Coding, double Weight)> all =
        [
            (ContentCoding.Brotli, WeightOf("br", items)),
            (ContentCoding.Gzip, WeightOf("gzip", items)),
            (ContentCoding.Identity, WeightOf("identity", items)),
        ];
        return [.. all.ToArray().Where(one => one.Weight > 0).OrderByDescending(one => one.Weight).Select(one => one.Coding)
            .Append(ContentCoding.Identity).Distinct()];
    }

    private static double WeightOf(string coding, IList<StringWithQualityHeaderValue> accepted)
    {
        double? any = null;
        foreach (var item in accepted)
        {
            if (item.Value.Equals(coding, StringComparison.OrdinalIgnoreCase)) return item.Quality ?? 1;
            if (item.Value.Equals("*", StringComparison.Ordinal)) any = item.Quality ?? 1;
        }
        // Identity is acceptable unless it is refused, but the least wanted unless it is named.
        return any ?? (coding == "identity" ? 0.0001 : 0);
    }
}

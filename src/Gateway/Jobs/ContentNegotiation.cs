using Microsoft.Net.Http.Headers;

namespace Gateway.Jobs;

/// <summary>Chooses among stored representations.</summary>
internal static class ContentNegotiation
{
    /// <summary>
    /// The representation that <c>Accept-Encoding</c> asks for (RFC 9110, section 12.5.3): the highest weight, and of
    /// equal ones the smallest body. A client that refuses even identity gets identity, as it may.
    /// </summary>
    public static Representation Choose(JobSnapshot snapshot, IHeaderDictionary headers)
    {
        var identity = snapshot.Representations[0];
        if (snapshot.Representations.Length == 1 || headers.AcceptEncoding.Count == 0
            || !StringWithQualityHeaderValue.TryParseList(headers.AcceptEncoding, out var accepted))
        {
            return identity;
        }
        var (best, bestWeight) = (identity, 0.0);
        foreach (var candidate in snapshot.Representations)
        {
            var weight = WeightOf(candidate.ContentEncoding, accepted);
            if (weight > bestWeight || (weight == bestWeight && weight > 0 && candidate.Body.Length < best.Body.Length))
            {
                (best, bestWeight) = (candidate, weight);
            }
        }
        return best;
    }

    private static double WeightOf(string? coding, IList<StringWithQualityHeaderValue> accepted)
    {
        double? any = null;
        foreach (var item in accepted)
        {
            if (item.Value.Equals(coding ?? "identity", StringComparison.OrdinalIgnoreCase)) return item.Quality ?? 1;
            if (item.Value.Equals("*", StringComparison.Ordinal)) any = item.Quality ?? 1;
        }
        // Identity is acceptable unless it is refused, but the least wanted unless it is named.
        return any ?? (coding is null ? 0.0001 : 0);
    }
}

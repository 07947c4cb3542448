using Microsoft.Extensions.Primitives;

namespace Gateway.Callers;

/// <summary>What a request carries to say who is asking.</summary>
internal enum Presented
{
    Nothing,
    Key,

    /// <summary>More than one credential, or one header twice: a guess would be somebody's surprise.</summary>
    Ambiguous,
}

internal static class PresentedCredential
{
    private const string Bearer = "Bearer";

    /// <summary>
    /// Finds the one credential: <c>X-Api-Key: k</c>, <c>Authorization: k</c> or <c>Authorization: Bearer k</c>
    /// (RFC 6750, section 2.1; the scheme in any case).
    /// </summary>
    public static Presented Find(IHeaderDictionary headers, out ReadOnlySpan<char> key)
    {
        key = default;
        StringValues own = headers["X-Api-Key"], authorization = headers.Authorization;
        if (own.Count + authorization.Count > 1) return Presented.Ambiguous;

        var value = (own.Count == 1 ? own[0] : authorization.Count == 1 ? authorization[0] : null).AsSpan().Trim();
        if (own.Count == 0 && value.StartsWith(Bearer, StringComparison.OrdinalIgnoreCase)
            && (value.Length == Bearer.Length || value[Bearer.Length] == ' '))
        {
            value = value[Bearer.Length..].TrimStart();
        }
        if (value.IsEmpty) return Presented.Nothing;
        key = value;
        return Presented.Key;
    }
}

using Gateway.Configuration;

namespace Gateway.Callers;

/// <summary>The origins of pages that may call with credentials.</summary>
internal sealed class OriginOptions
{
    /// <summary>
    /// The allowed origins, such as <c>https://app.example.com</c>. Default empty: only pages of the gateway's own
    /// origin may call.
    /// </summary>
    public List<string> AllowedOrigins { get; set; } = [];

    /// <summary>
    /// Whether a page of this origin may call. The comparison is exact, because browsers serialise an origin in one
    /// form (RFC 6454, section 6).
    /// </summary>
    public bool Allow(string origin) => AllowedOrigins.Contains(origin);

    public void Check(ConfigurationErrors errors)
    {
        for (var i = 0; i < AllowedOrigins.Count; i++)
        {
            var fine = Uri.TryCreate(AllowedOrigins[i], UriKind.Absolute, out var uri)
                && uri.Scheme is "http" or "https"
                && OriginOf(uri) == AllowedOrigins[i];
            errors.Unless(fine, $"Cors:AllowedOrigins:{i}",
                "must be an origin as browsers write it, such as https://app.example.com; there is no wildcard");
        }
    }

    public static string OriginOf(Uri uri) => uri.GetLeftPart(UriPartial.Authority);
}

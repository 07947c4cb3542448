using Gateway.Configuration;

namespace Gateway.Callers;

/// <summary>Which pages of other origins may call, with credentials.</summary>
internal sealed class OriginOptions
{
    /// <summary>Origins such as <c>https://app.example.com</c>. None, the default: pages of this origin only.</summary>
    public List<string> AllowedOrigins { get; set; } = [];

    /// <summary>
    /// Whether a page of this origin may call. Browsers write it in one form, so letters decide (RFC 6454, section 6).
    /// </summary>
    public bool Allow(string origin) => AllowedOrigins.Contains(origin);

    public void Check(ConfigurationErrors errors)
    {
        for (var i = 0; i < AllowedOrigins.Count; i++)
        {
            var fine = Uri.TryCreate(AllowedOrigins[i], UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https"
                && OriginOf(uri) == AllowedOrigins[i];
            errors.Unless(fine, $"Cors:AllowedOrigins:{i}",
                $"'{AllowedOrigins[i]}' is no origin as browsers write it, such as https://app.example.com; there is no wildcard");
        }
    }

    public static string OriginOf(Uri uri) => uri.GetLeftPart(UriPartial.Authority);
}

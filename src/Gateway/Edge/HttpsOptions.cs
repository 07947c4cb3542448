using Gateway.Configuration;

namespace Gateway.Edge;

/// <summary>Where TLS ends here, or at a known proxy.</summary>
internal sealed class HttpsOptions
{
    /// <summary>Whether plain http is sent to https, where the gateway listens on both. Default true.</summary>
    public bool Redirect { get; set; } = true;

    /// <summary>
    /// How long browsers are to use https alone (RFC 6797). Default 365 days; 0: no such header; at most 10 years.
    /// </summary>
    public TimeSpan HstsMaxAge { get; set; } = TimeSpan.FromDays(365);

    public void Check(ConfigurationErrors errors) =>
        errors.Range("Https:HstsMaxAge", HstsMaxAge, TimeSpan.Zero, TimeSpan.FromDays(3650));
}

using Gateway.Configuration;

namespace Gateway.Edge;

/// <summary>The use of HTTPS.</summary>
internal sealed class HttpsOptions
{
    /// <summary>Whether HTTP is redirected to HTTPS, if the gateway listens on HTTPS. Default true.</summary>
    public bool Redirect { get; set; } = true;

    /// <summary>
    /// The <c>max-age</c> of <c>Strict-Transport-Security</c> (RFC 6797), for which browsers use only HTTPS. Default
    /// 365 days; 0 to 10 years. If 0, the header is not sent.
    /// </summary>
    public TimeSpan HstsMaxAge { get; set; } = TimeSpan.FromDays(365);

    public void Check(ConfigurationErrors errors) =>
        errors.Range("Https:HstsMaxAge", HstsMaxAge, TimeSpan.Zero, TimeSpan.FromDays(3650));
}

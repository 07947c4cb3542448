using Gateway.Configuration;
using Gateway.Outbound;

namespace Gateway.Redis;

/// <summary>The timing of Redis.</summary>
internal sealed class RedisOptions
{
    public const string DefaultPrefix = "gateway:";

    /// <summary>The longest time that one request waits for Redis. Default 100 ms; 10 ms to 5 s.</summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromMilliseconds(100);

    /// <summary>
    /// The prefix of all keys and channels, so that several environments can share a Redis. Default <c>gateway:</c>. It
    /// counts from the next start on.
    /// </summary>
    public string Prefix { get; set; } = DefaultPrefix;

    /// <summary>
    /// The number of nodes to assume while this node has never been able to count them, because Redis was away or
    /// refused writes since it started. Default 3; 1 to 1,000.
    /// </summary>
    public int AssumedNodes { get; set; } = 3;

    /// <summary>
    /// A PEM file with the authority that signed Redis's certificate. Default empty: those that the system trusts. A
    /// renewed file counts for the next connection.
    /// </summary>
    public string CertificateAuthority { get; set; } = "";

    /// <summary>
    /// A PEM file with the certificate that the gateway shows to Redis, and its key unless <see cref="ClientKey"/>
    /// names another file. Default empty: none. A renewed file counts for the next connection.
    /// </summary>
    public string ClientCertificate { get; set; } = "";

    /// <summary>A PEM file with the key of the certificate that the gateway shows to Redis.</summary>
    public string ClientKey { get; set; } = "";

    public TlsFiles TlsFiles() => new("Redis", CertificateAuthority, ClientCertificate, ClientKey);

    public void Check(ConfigurationErrors errors)
    {
        errors.Range("Redis:Timeout", Timeout, TimeSpan.FromMilliseconds(10), TimeSpan.FromSeconds(5));
        errors.Range("Redis:AssumedNodes", AssumedNodes, 1, 1000);
        TlsFiles().Check(errors);
        // The characters of a pattern would match other keys during a purge.
        var isPrefix = Prefix.Length is > 0 and <= 64
            && Prefix.All(c => char.IsAsciiLetterOrDigit(c) || "-_.:/".Contains(c));
        errors.Unless(isPrefix, "Redis:Prefix", "has 1 to 64 letters, digits and characters of -_.:/");
    }
}

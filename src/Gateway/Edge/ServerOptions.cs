using Gateway.Configuration;

namespace Gateway.Edge;

/// <summary>
/// The limits of requests and connections, and the drain. The defaults for requests are Kestrel's own.
/// </summary>
internal sealed class ServerOptions
{
    /// <summary>
    /// The largest number of header fields of a request. A request with more is answered with 431. Default 100; 10 to
    /// 1000.
    /// </summary>
    public int MaxRequestHeaderCount { get; set; } = 100;

    /// <summary>
    /// The largest size of all header fields of a request. A request with larger header fields is answered with 431.
    /// Default 32 KiB; 4 KiB to 512 KiB.
    /// </summary>
    public int MaxRequestHeadersBytes { get; set; } = 32 * 1024;

    /// <summary>
    /// The largest size of a request line. A longer one is answered with 414. Default 8 KiB; 1 KiB to 64 KiB.
    /// </summary>
    public int MaxRequestLineBytes { get; set; } = 8 * 1024;

    /// <summary>
    /// The largest number of open connections, except those to <c>Management:Port</c>. Further connections are closed
    /// at once. Default 0: computed from the number of files that the process may open
    /// (<see cref="Connections.LimitFor"/>); at most 10 million.
    /// </summary>
    public int MaxConnections { get; set; }

    /// <summary>
    /// How long a node that is told to stop still accepts connections, while it is not ready, so that load balancers
    /// notice. Default 0; at most 10 min.
    /// </summary>
    public TimeSpan DrainDelay { get; set; }

    public void Check(ConfigurationErrors errors)
    {
        errors.Range("Server:MaxRequestHeaderCount", MaxRequestHeaderCount, 10, 1000);
        errors.Range("Server:MaxRequestHeadersBytes", MaxRequestHeadersBytes, 4 * 1024, 512 * 1024);
        errors.Range("Server:MaxRequestLineBytes", MaxRequestLineBytes, 1024, 64 * 1024);
        errors.Range("Server:MaxConnections", MaxConnections, 0, 10_000_000);
        errors.Range("Server:DrainDelay", DrainDelay, TimeSpan.Zero, TimeSpan.FromMinutes(10));
    }
}

using Gateway.Configuration;

namespace Gateway.Edge;

/// <summary>What the server takes of requests and connections. The defaults are Kestrel's own.</summary>
internal sealed class ServerOptions
{
    /// <summary>The most header fields of a request. Default 100; 10 to 1000. One more: 431.</summary>
    public int MaxRequestHeaderCount { get; set; } = 100;

    /// <summary>
    /// The most bytes of all header fields of a request. Default 32 KiB; 4 KiB to 512 KiB. One more: 431.
    /// </summary>
    public int MaxRequestHeadersBytes { get; set; } = 32 * 1024;

    /// <summary>The most bytes of a request line. Default 8 KiB; 1 KiB to 64 KiB. One more: 414.</summary>
    public int MaxRequestLineBytes { get; set; } = 8 * 1024;

    /// <summary>
    /// The most connections at once, those to <c>Management:Port</c> not counted; further ones are closed at once.
    /// Default 0: by the number of files that the process may have open (<see cref="Connections.LimitFor"/>); at most
    /// 10 million.
    /// </summary>
    public int MaxConnections { get; set; }

    public void Check(ConfigurationErrors errors)
    {
        errors.Range("Server:MaxRequestHeaderCount", MaxRequestHeaderCount, 10, 1000);
        errors.Range("Server:MaxRequestHeadersBytes", MaxRequestHeadersBytes, 4 * 1024, 512 * 1024);
        errors.Range("Server:MaxRequestLineBytes", MaxRequestLineBytes, 1024, 64 * 1024);
        errors.Range("Server:MaxConnections", MaxConnections, 0, 10_000_000);
    }
}

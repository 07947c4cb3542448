using Gateway.Configuration;

namespace Gateway.Edge;

/// <summary>The management port for operators.</summary>
internal sealed class ManagementOptions
{
    /// <summary>
    /// The port that serves <c>/metrics</c>, health and <c>/admin</c>, on all addresses, without TLS. Default 0: no
    /// management port.
    /// </summary>
    public int Port { get; set; }

    public void Check(ConfigurationErrors errors) => errors.Range("Management:Port", Port, 0, 65535);
}

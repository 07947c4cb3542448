using Gateway.Configuration;

namespace Gateway.Edge;

/// <summary>The port for operators.</summary>
internal sealed class ManagementOptions
{
    /// <summary>Serves <c>/metrics</c> and health, on all addresses, in clear text. 0, the default: none.</summary>
    public int Port { get; set; }

    public void Check(ConfigurationErrors errors) => errors.Range("Management:Port", Port, 0, 65535);
}

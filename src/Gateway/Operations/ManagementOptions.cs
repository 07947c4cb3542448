using Gateway.Configuration;

namespace Gateway.Operations;

/// <summary>The port for operators.</summary>
internal sealed class ManagementOptions
{
    /// <summary>Serves <c>/metrics</c> and health, on all addresses, in clear text. 0, the default: none.</summary>
    public int Port { get; set; }

    public void Check(Mistakes mistakes) => mistakes.Range("Management:Port", Port, 0, 65535);
}

using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;

namespace Gateway.Tests.Infrastructure;

/// <summary>A tinyproxy that asks for a user and a password. Disposing of it ends it.</summary>
internal sealed class TinyProxy : IAsyncDisposable
{
    public const string User = "egress", Password = "do-not-print-this-pass";

    private readonly ChildProcess _process;
    private readonly DirectoryInfo _folder;

    private TinyProxy(ChildProcess process, DirectoryInfo folder, int port) =>
        (_process, _folder, Port) = (process, folder, port);

    public int Port { get; }

    /// <summary>The value of an environment variable that names the proxy.</summary>
    public string Address => $"http://{User}:{Password}@127.0.0.1:{Port}";

    /// <summary>The request lines that the proxy has received.</summary>
    public IEnumerable<string> Requests => _process.Output.Split('\n')
        .Where(line => line.Contains("Request (file descriptor", StringComparison.Ordinal))
        .Select(line => line[(line.IndexOf("): ", StringComparison.Ordinal) + 3)..]);

    /// <summary>
    /// An address of this machine that is not loopback, which never uses a proxy. Skips the test if there is none.
    /// </summary>
    public static IPAddress OwnAddress()
    {
        var address = NetworkInterface.GetAllNetworkInterfaces()
            .Where(network => network.OperationalStatus == OperationalStatus.Up)
            .SelectMany(network => network.GetIPProperties().UnicastAddresses).Select(one => one.Address)
            .FirstOrDefault(one => one.AddressFamily == AddressFamily.InterNetwork && !IPAddress.IsLoopback(one));
        Assert.SkipWhen(address is null, "This machine has no address besides loopback.");
        return address!;
    }

    /// <summary>Starts the proxy, and waits until it listens. Skips the test if there is no tinyproxy.</summary>
    public static async Task<TinyProxy> StartAsync()
    {
        Assert.SkipUnless(RedisServer.IsOnPath("tinyproxy"),
            "This test needs tinyproxy, which is not on the PATH.");
        var (port, folder) = (ChildProcess.FreePort(), Directory.CreateTempSubdirectory("gateway-proxy-"));
        var file = Path.Combine(folder.FullName, "tinyproxy.conf");
        await File.WriteAllTextAsync(file, $"""
            Port {port}
            Listen 127.0.0.1
            Timeout 30
            LogLevel Connect
            MaxClients 100
            BasicAuth {User} {Password}
            """, World.Cancellation);
        var process = new ChildProcess("tinyproxy", ["-d", "-c", file]);
        await process.UntilAsync(async () =>
        {
            using var client = new TcpClient();
            try
            {
                await client.ConnectAsync(IPAddress.Loopback, port);
                return true;
            }
            catch (SocketException)
            {
                return false;
            }
        });
        return new TinyProxy(process, folder, port);
    }

    public async ValueTask DisposeAsync()
    {
        await _process.DisposeAsync();
        _folder.Delete(recursive: true);
    }
}

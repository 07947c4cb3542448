using System.Net;

namespace Gateway.Tests.Infrastructure;

/// <summary>
/// An haproxy in front of gateways, with Debian's default settings. A check may take long, because the machine may be
/// busy. Disposing of it ends it.
/// </summary>
internal sealed class HaproxyProxy : IAsyncDisposable
{
    private readonly ChildProcess _process;
    private readonly DirectoryInfo _folder;

    private HaproxyProxy(ChildProcess process, DirectoryInfo folder, Uri address) =>
        (_process, _folder, Address) = (process, folder, address);

    public Uri Address { get; }

    /// <summary>Starts haproxy, and waits until it answers. Skips the test if there is no haproxy.</summary>
    /// <param name="gateways">
    /// If there are several, haproxy asks each five times a second whether it is ready, and repeats no request.
    /// </param>
    public static async Task<HaproxyProxy> StartAsync(params Uri[] gateways)
    {
        Assert.SkipWhen(Program is null, "This test needs haproxy, which is not installed.");
        var (port, folder) = (ChildProcess.FreePort(), Directory.CreateTempSubdirectory("gateway-haproxy-"));
        var file = Path.Combine(folder.FullName, "haproxy.cfg");
        var check = gateways.Length > 1 ? " check inter 200ms fall 2 rise 2" : "";
        var servers = gateways.Select((gateway, i) => $"  server node{i} {gateway.Host}:{gateway.Port}{check}");
        var checks = gateways.Length > 1 ? "  retries 0\n  option httpchk GET /health/ready\n" : "";
        await File.WriteAllTextAsync(file, $"""
            defaults
              mode http
              option dontlognull
              timeout connect 5000
              timeout client 50000
              timeout server 50000
              timeout check 10000
            frontend clients
              bind 127.0.0.1:{port}
              default_backend gateways
            backend gateways
            {checks}{string.Join('\n', servers)}

            """, World.Cancellation);
        var process = new ChildProcess(Program!, ["-f", file, "-db"]);
        var proxy = new HaproxyProxy(process, folder, new Uri($"http://127.0.0.1:{port}/"));
        using var client = new HttpClient { BaseAddress = proxy.Address };
        await process.UntilAsync(async () => await GatewayProcess.StatusOf(client, "health/live") == HttpStatusCode.OK);
        return proxy;
    }

    // haproxy is often in a folder that only root has on its PATH.
    private static string? Program => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
        .Append("/usr/sbin")
        .Select(folder => Path.Combine(folder, "haproxy")).FirstOrDefault(File.Exists);

    public async ValueTask DisposeAsync()
    {
        await _process.DisposeAsync();
        _folder.Delete(recursive: true);
    }
}

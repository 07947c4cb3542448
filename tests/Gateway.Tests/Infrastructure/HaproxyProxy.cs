using System.Net;

namespace Gateway.Tests.Infrastructure;

/// <summary>An haproxy in front of a gateway, with Debian's default settings. Disposing of it ends it.</summary>
internal sealed class HaproxyProxy : IAsyncDisposable
{
    private readonly ChildProcess _process;
    private readonly DirectoryInfo _folder;

    private HaproxyProxy(ChildProcess process, DirectoryInfo folder, Uri address) =>
        (_process, _folder, Address) = (process, folder, address);

    public Uri Address { get; }

    /// <summary>Starts haproxy, and waits until it answers. Skips the test if there is no haproxy.</summary>
    public static async Task<HaproxyProxy> StartAsync(Uri gateway)
    {
        Assert.SkipWhen(Program is null, "This test needs haproxy, which is not installed.");
        var (port, folder) = (ChildProcess.FreePort(), Directory.CreateTempSubdirectory("gateway-haproxy-"));
        var file = Path.Combine(folder.FullName, "haproxy.cfg");
        await File.WriteAllTextAsync(file, $"""
            defaults
              mode http
              option dontlognull
              timeout connect 5000
              timeout client 50000
              timeout server 50000
            frontend clients
              bind 127.0.0.1:{port}
              default_backend gateways
            backend gateways
              server one {gateway.Host}:{gateway.Port}

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

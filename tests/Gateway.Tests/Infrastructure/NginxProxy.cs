using System.Net;

namespace Gateway.Tests.Infrastructure;

/// <summary>An nginx in front of a gateway, with a test's own directives. Disposing of it ends it.</summary>
internal sealed class NginxProxy : IAsyncDisposable
{
    private readonly ChildProcess _process;
    private readonly DirectoryInfo _folder;

    private NginxProxy(ChildProcess process, DirectoryInfo folder, Uri address) =>
        (_process, _folder, Address) = (process, folder, address);

    public Uri Address { get; }

    /// <summary>Starts nginx, and waits until it answers. Skips the test if there is no nginx.</summary>
    /// <param name="gateway">The address that nginx passes requests to.</param>
    /// <param name="location">Directives of the location, in addition to <c>proxy_pass</c>.</param>
    /// <param name="http">Directives of the http block.</param>
    /// <param name="keepsConnections">False to leave nginx's default, which is HTTP/1.0 to the gateway.</param>
    /// <param name="https">The files of the certificate and its key; null for plain http.</param>
    public static async Task<NginxProxy> StartAsync(
        Uri gateway, string location, string http = "", bool keepsConnections = true,
        (string Certificate, string Key)? https = null)
    {
        Assert.SkipWhen(Program is null, "This test needs nginx, which is not installed.");
        var (port, folder) = (ChildProcess.FreePort(), Directory.CreateTempSubdirectory("gateway-nginx-"));
        var file = Path.Combine(folder.FullName, "nginx.conf");
        await File.WriteAllTextAsync(file, $$"""
            daemon off;
            pid {{folder.FullName}}/nginx.pid;
            {{(Environment.IsPrivilegedProcess ? "user root;" : "")}}
            events { }
            http {
              access_log off;
              client_body_temp_path {{folder.FullName}}/body;
              proxy_temp_path {{folder.FullName}}/proxy;
              fastcgi_temp_path {{folder.FullName}}/fastcgi;
              uwsgi_temp_path {{folder.FullName}}/uwsgi;
              scgi_temp_path {{folder.FullName}}/scgi;
              {{http}}
              server {
                listen 127.0.0.1:{{port}}{{(https is null ? "" : " ssl")}};
                {{(https is { } files ? $"ssl_certificate {files.Certificate}; ssl_certificate_key {files.Key};" : "")}}
                location / {
                  proxy_pass {{gateway}};
                  {{(keepsConnections ? "proxy_http_version 1.1; proxy_set_header Connection \"\";" : "")}}
                  {{location}}
                }
              }
            }
            """, World.Cancellation);
        var process = new ChildProcess(Program!, ["-c", file, "-p", folder.FullName, "-e", "stderr"]);
        var address = new Uri(https is null ? $"http://127.0.0.1:{port}/" : $"https://localhost:{port}/");
        var proxy = new NginxProxy(process, folder, address);
        using var handler = new SocketsHttpHandler();
        // This client only waits for nginx, whose certificate may be of any authority.
        handler.SslOptions.RemoteCertificateValidationCallback = (_, certificate, _, _) => certificate is not null;
        using var client = new HttpClient(handler) { BaseAddress = proxy.Address };
        await process.UntilAsync(async () => await GatewayProcess.StatusOf(client, "health/live") == HttpStatusCode.OK);
        return proxy;
    }

    // nginx is often in a folder that only root has on its PATH.
    private static string? Program => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
        .Append("/usr/sbin")
        .Select(folder => Path.Combine(folder, "nginx")).FirstOrDefault(File.Exists);

    public async ValueTask DisposeAsync()
    {
        await _process.DisposeAsync();
        _folder.Delete(recursive: true);
    }
}

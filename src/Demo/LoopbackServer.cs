using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Demo;

/// <summary>A web server of the demo: plain HTTP on 127.0.0.1, without the settings of the process.</summary>
internal static class LoopbackServer
{
    /// <param name="port">The port; 0 picks a free one.</param>
    public static WebApplicationBuilder Create(int port)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Listen(IPAddress.Loopback, port, listener => listener.Protocols = HttpProtocols.Http1);
        });
        builder.Services.AddRoutingCore();
        builder.Services.AddSingleton<IHostLifetime, OwnedLifetime>();
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromMilliseconds(500));
        return builder;
    }

    /// <summary>Starts an application, and disposes of it if it cannot start.</summary>
    /// <returns>Its address, such as <c>http://127.0.0.1:5082/</c>.</returns>
    public static async Task<Uri> StartAsync(WebApplication app, CancellationToken cancellation)
    {
        try
        {
            await app.StartAsync(cancellation);
            return new Uri(app.Urls.First());
        }
        catch
        {
            await app.DisposeAsync();
            throw;
        }
    }

    /// <summary>The text of an embedded file.</summary>
    public static string Text(string file)
    {
        using var stream = typeof(LoopbackServer).Assembly.GetManifestResourceStream($"Demo.Page.{file}")!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }

    /// <summary>Writes a file of the page, with the headers that a page of one's own should have.</summary>
    /// <param name="policy">The content security policy.</param>
    public static Task WriteAsync(HttpContext http, string type, string text, string policy)
    {
        http.Response.ContentType = $"{type}; charset=utf-8";
        http.Response.Headers.CacheControl = "no-store";
        http.Response.Headers.ContentSecurityPolicy =
            $"default-src 'none'; base-uri 'none'; frame-ancestors 'none'; {policy}";
        http.Response.Headers.XContentTypeOptions = "nosniff";
        http.Response.Headers["Referrer-Policy"] = "no-referrer";
        return http.Response.WriteAsync(text, http.RequestAborted);
    }

    /// <summary>Ignores the signals of the process. The demo disposes of its servers.</summary>
    private sealed class OwnedLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}

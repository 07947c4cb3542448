using System.Net;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Gateway.Tests.Infrastructure;

/// <summary>
/// Web servers for tests, on loopback unless another address is named. They ignore the settings of the process.
/// </summary>
internal static class Loopback
{
    /// <param name="address">Another address to listen on.</param>
    public static WebApplicationBuilder Server(
        int port, X509Certificate2? https = null, IPAddress? address = null,
        HttpProtocols protocols = HttpProtocols.Http1)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            if (https is null)
                kestrel.Listen(address ?? IPAddress.Loopback, port, listener => listener.Protocols = protocols);
            // The name resolves to both loopback addresses, and a browser may use either.
            else kestrel.ListenLocalhost(port, listener => listener.UseHttps(https));
        });
        builder.Services.AddRoutingCore();
        builder.Services.AddSingleton<IHostLifetime, OwnedLifetime>();
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromMilliseconds(500));
        return builder;
    }

    /// <summary>Ignores signals, which belong to the test runner.</summary>
    private sealed class OwnedLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}

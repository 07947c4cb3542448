using System.Net;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Gateway.SideBySide.Servers;

/// <summary>Kestrel without a host, middleware, routing or HttpContext.</summary>
internal sealed class BareKestrel(Func<IFeatureCollection, Task> answer) : IHttpApplication<IFeatureCollection>
{
    /// <param name="http2Port">The port for HTTP/2 in clear text, or 0 for none.</param>
    public static async Task RunAsync(int port, int http2Port, Func<IFeatureCollection, Task> answer)
    {
        var options = new KestrelServerOptions { AddServerHeader = false };
        options.Limits.KeepAliveTimeout = TimeSpan.FromHours(1);
        options.Listen(IPAddress.Loopback, port, listen => listen.Protocols = HttpProtocols.Http1);
        if (http2Port != 0)
            options.Listen(IPAddress.Loopback, http2Port, listen => listen.Protocols = HttpProtocols.Http2);
        var sockets = new SocketTransportFactory(
            Options.Create(new SocketTransportOptions()), NullLoggerFactory.Instance);
        using var server = new KestrelServer(Options.Create(options), sockets, NullLoggerFactory.Instance);
        await server.StartAsync(new BareKestrel(answer), CancellationToken.None);
        await Task.Delay(Timeout.Infinite);
    }

    /// <summary>Answers with bytes that <paramref name="write"/> writes directly into the send buffer.</summary>
    public static Task WriteAsync<T>(IFeatureCollection http, int length, T state, Action<Memory<byte>, T> write)
    {
        var writer = http.GetRequiredFeature<IHttpResponseBodyFeature>().Writer;
        write(writer.GetMemory(length)[..length], state);
        writer.Advance(length);
        return Task.CompletedTask;
    }

    public IFeatureCollection CreateContext(IFeatureCollection contextFeatures) => contextFeatures;

    public Task ProcessRequestAsync(IFeatureCollection context) => answer(context);

    public void DisposeContext(IFeatureCollection context, Exception? exception)
    {
    }
}

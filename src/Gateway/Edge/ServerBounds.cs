using Gateway.Runtime;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Options;

namespace Gateway.Edge;

/// <summary>
/// The limits of the server: 414 for a long URL, 431 for large headers, and closed connections above their limit.
/// </summary>
internal static class ServerBounds
{
    public static void AddServerBounds(this IServiceCollection services)
    {
        services.AddSingleton<Connections>();
        services.AddOptions<KestrelServerOptions>().Configure<IOptionsMonitor<ServerOptions>, Connections>(
            (kestrel, options, connections) => Set(kestrel, options.CurrentValue, connections));
    }

    private static void Set(KestrelServerOptions kestrel, ServerOptions options, Connections connections)
    {
        kestrel.AddServerHeader = false;
        var limits = kestrel.Limits;
        limits.MaxRequestLineSize = options.MaxRequestLineBytes;
        limits.MaxRequestHeaderCount = options.MaxRequestHeaderCount;
        limits.MaxRequestHeadersTotalSize = options.MaxRequestHeadersBytes;
        // HTTP/2 also limits each field. As in HTTP/1.1, one field may use the whole size.
        limits.Http2.MaxRequestHeaderFieldSize = options.MaxRequestHeadersBytes;
        limits.MaxRequestBodySize = RequestBody.LargestDropped;
        // A second call would replace the first, so one call adds both.
        kestrel.ConfigureEndpointDefaults(listener => listener.Use(connections.Bound).Use(ThreadShare.BoundReads));
    }
}

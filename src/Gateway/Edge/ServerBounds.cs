using Gateway.Runtime;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Options;

namespace Gateway.Edge;

/// <summary>
/// What the server refuses by itself: 414 for a long URL, 431 for large headers, and connections beyond their limit.
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
        // Of HTTP/2 and HTTP/3 there is a limit for each field besides; one field may be all there is, as over
        // HTTP/1.1.
        limits.Http2.MaxRequestHeaderFieldSize = options.MaxRequestHeadersBytes;
        limits.MaxRequestBodySize = RequestBody.LargestDropped;
        // One call for both: a second one would take the place of the first.
        kestrel.ConfigureEndpointDefaults(listener => listener.Use(connections.Bound).Use(ThreadShare.BoundReads));
    }
}

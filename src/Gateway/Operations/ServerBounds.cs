using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Gateway.Operations;

/// <summary>What the server refuses by itself: 414 for a long URL, 431 for large headers.</summary>
internal static class ServerBounds
{
    public static void Set(KestrelServerOptions kestrel)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxRequestLineSize = 8 * 1024;
        kestrel.Limits.MaxRequestHeadersTotalSize = 16 * 1024;
        kestrel.Limits.MaxRequestHeaderCount = 64;
        // Nothing here reads a body.
        kestrel.Limits.MaxRequestBodySize = 0;
    }
}

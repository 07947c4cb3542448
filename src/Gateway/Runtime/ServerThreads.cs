using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;

namespace Gateway.Runtime;

/// <summary>Selects the threads that process requests.</summary>
internal static class ServerThreads
{
    private const string Inline = "DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS";

    // A body of this size is processed in about the time of one request.
    private const int SmallBody = 64 * 1024;

    /// <summary>
    /// Makes the I/O thread that receives a socket event run the continuation itself instead of waking a thread of the
    /// pool. A hit from memory then needs no change of threads. No code may block an I/O thread. The environment
    /// variable overrides this setting.
    /// </summary>
    public static void AnswerWhereItArrives()
    {
        if (Environment.GetEnvironmentVariable(Inline) is null) Environment.SetEnvironmentVariable(Inline, "1");
    }

    /// <summary>
    /// Makes Kestrel process requests on the I/O thread. Each connection keeps a buffer of 4 KB, so that a read needs
    /// no wait for data before it.
    /// </summary>
    public static void Set(SocketTransportOptions sockets) =>
        (sockets.UnsafePreferInlineScheduling, sockets.WaitForDataBeforeAllocatingBuffer) = (true, false);

    /// <summary>Continues on the thread pool if a body of this size would keep an I/O thread too long.</summary>
    public static ConfiguredTaskAwaitable LeaveAsync(int bytes) =>
        Task.CompletedTask.ConfigureAwait(
            bytes > SmallBody ? ConfigureAwaitOptions.ForceYielding : ConfigureAwaitOptions.None);
}

using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;

namespace Gateway.Runtime;

/// <summary>Which threads requests are answered by.</summary>
internal static class ServerThreads
{
    private const string Inline = "DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS";

    // What is looked at in about as long as a request takes.
    private const int SmallBody = 64 * 1024;

    /// <summary>
    /// Has the thread that hears of a socket, one for each processor, go on with what waited for it, instead of waking
    /// another one. An answer out of memory then takes no change of threads. Nothing may block such a thread, or keep
    /// it for long. The environment variable, set to 0, has the last word.
    /// </summary>
    public static void AnswerWhereItArrives()
    {
        if (Environment.GetEnvironmentVariable(Inline) is null) Environment.SetEnvironmentVariable(Inline, "1");
    }

    /// <summary>
    /// The same of the server itself. And it has a buffer of 4 KB for each connection all the time, to read what comes
    /// at once.
    /// </summary>
    public static void Set(SocketTransportOptions sockets) =>
        (sockets.UnsafePreferInlineScheduling, sockets.WaitForDataBeforeAllocatingBuffer) = (true, false);

    /// <summary>Goes on elsewhere, where a body of this size is to be looked at.</summary>
    public static ConfiguredTaskAwaitable LeaveAsync(int bytes) =>
        Task.CompletedTask.ConfigureAwait(bytes > SmallBody ? ConfigureAwaitOptions.ForceYielding : ConfigureAwaitOptions.None);
}

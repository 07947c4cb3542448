namespace Gateway.Operations;

/// <summary>Which threads requests are answered by.</summary>
internal static class ServerThreads
{
    private const string Inline = "DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS";

    /// <summary>
    /// Has the thread that hears of a socket, one for each processor, go on with what waits for it, instead of waking another
    /// thread for that. An answer out of memory then takes no change of threads, and a third less CPU time. Nothing may block
    /// such a thread, or keep it long. Set to 0, the environment variable has the last word.
    /// </summary>
    public static void AnswerWhereItArrives()
    {
        if (Environment.GetEnvironmentVariable(Inline) is null) Environment.SetEnvironmentVariable(Inline, "1");
    }
}

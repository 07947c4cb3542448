namespace Gateway.Runtime;

/// <summary>File events of the operating system (inotify).</summary>
internal static class FileEvents
{
    private const string Polling = "DOTNET_USE_POLLING_FILE_WATCHER";

    /// <summary>
    /// Makes the framework compare files, such as Kestrel's certificates, every few seconds. The machine may have no
    /// room for file events, which would stop the start. The environment variable overrides this setting.
    /// </summary>
    public static void TurnOff()
    {
        if (Environment.GetEnvironmentVariable(Polling) is null) Environment.SetEnvironmentVariable(Polling, "1");
    }
}

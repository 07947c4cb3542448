namespace Gateway.Configuration;

/// <summary>The warnings about a configuration that is in force, slow disks, and the log messages.</summary>
internal sealed partial class LiveConfiguration<T>
{
    private const string Delay = "the file system does not answer";

    /// <summary>Notes that a check of the disk has not ended in time. The end of a check ends the note.</summary>
    public void NoteDelay()
    {
        lock (_reloading)
        {
            if (!_errors.Contains(Delay)) Refuse([.. _errors, Delay]);
            else Repeat();
        }
    }

    private void EndDelay()
    {
        if (!_errors.Contains(Delay)) return;
        _errors = [.. _errors.Where(line => line != Delay)];
        if (_errors.Count == 0) EndRefusal();
    }

    private void Warn()
    {
        var warnings = new ConfigurationErrors();
        _current.Warn(warnings, _clock.GetUtcNow(), GC.GetGCMemoryInfo().TotalAvailableMemoryBytes);
        foreach (var line in warnings.Lines) Log.Odd(_logger, line);
        foreach (var key in NeedRestart) Log.NeedsRestart(_logger, key);
    }

    private Dictionary<string, string?> SettingsAtStart() =>
        _configuration.AsEnumerable().Where(setting => setting.Value is not null && T.IsReadAtStart(setting.Key))
            .ToDictionary(StringComparer.OrdinalIgnoreCase);

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Information, "Configuration reloaded")]
        public static partial void Reloaded(ILogger logger);

        [LoggerMessage(LogLevel.Warning, "The configuration is odd: {Warning}")]
        public static partial void Odd(ILogger logger, string warning);

        [LoggerMessage(LogLevel.Warning, "{Key} has changed. The change applies after a restart.")]
        public static partial void NeedsRestart(ILogger logger, string key);

        [LoggerMessage(LogLevel.Error, "New configuration refused, the previous one stays in force: {Error}")]
        public static partial void Refused(ILogger logger, string error);

        [LoggerMessage(LogLevel.Error,
            "New configuration could not be read, the previous one stays in force: {Problem} {Stack}")]
        public static partial void Unread(ILogger logger, string problem, string? stack);

        [LoggerMessage(LogLevel.Error,
            "A defect of the gateway stopped the new configuration, the previous one stays in force")]
        public static partial void Broken(ILogger logger, Exception defect);

        [LoggerMessage(LogLevel.Error,
            "A defect of the gateway: one part did not apply the new configuration, which is in force")]
        public static partial void PartBroken(ILogger logger, Exception defect);
    }
}

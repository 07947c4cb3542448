using Gateway.Telemetry;

namespace Gateway;

/// <summary>
/// Bounds the log lines about refused or failed requests. Within a second, the first request of a kind from a source is
/// logged by itself, and one line sums up the others. A second has at most 100 different pairs of kind and source, and
/// thereby at most 201 lines. Metrics count every request.
/// </summary>
internal sealed partial class RefusalLog(TimeProvider clock, ILogger<RequestPath> logger) : IDisposable
{
    private const int MostKinds = 100;

    private readonly PerSecond<Kind> _kinds =
        new(whole: 1, MostKinds, rest: default, clock, (kind, count) => SumUp(logger, kind, count));

    /// <summary>Whether a request is to be logged by itself.</summary>
    /// <param name="status">The status of the response.</param>
    /// <param name="type">The slug of the problem; empty if there is none.</param>
    /// <param name="source">The caller's id, or its network if the caller is unknown.</param>
    public bool IsLine(int status, string type, string source) => _kinds.Take(new Kind(status, type, source));

    public void Dispose() => _kinds.Dispose();

    public static LogLevel LevelOf(int status) => status switch
    {
        < 400 => LogLevel.Debug,
        < 500 => LogLevel.Information,
        _ => LogLevel.Warning,
    };

    private static void SumUp(ILogger logger, Kind kind, int count)
    {
        var level = LevelOf(kind.Status);
        if (kind.Status == 0) Log.Others(logger, count);
        else Log.More(logger, level, count, kind.Source, kind.Status, kind.Type);
    }

    private readonly record struct Kind(int Status, string Type, string Source);

    private static partial class Log
    {
        [LoggerMessage(Message = "{Count} more requests of {Source} were answered {Status} {Type} within a second")]
        public static partial void More(
            ILogger logger, LogLevel level, int count, string source, int status, string type);

        [LoggerMessage(LogLevel.Warning,
            "{Count} more requests of other sources were refused or failed within a second")]
        public static partial void Others(ILogger logger, int count);
    }
}

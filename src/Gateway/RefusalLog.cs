using Gateway.Telemetry;

namespace Gateway;

/// <summary>
/// Bounds the lines about requests that were refused or failed, which callers can send without end: within a second the
/// first of a kind from a source is a line of its own, and the others are one line that says how many there were. 100
/// pairs of kind and source are told apart in a second, so that these are 201 lines a second at most, whoever asks.
/// Metrics count each.
/// </summary>
internal sealed partial class RefusalLog(TimeProvider clock, ILogger<RequestPath> logger) : IDisposable
{
    private const int MostKinds = 100;

    private readonly PerSecond<Kind> _kinds =
        new(whole: 1, MostKinds, rest: default, clock, (kind, count) => SumUp(logger, kind, count));

    /// <summary>Whether a request is to be a line of its own.</summary>
    /// <param name="status">What it was answered.</param>
    /// <param name="type">The slug of the problem; empty: none.</param>
    /// <param name="source">Who asked: the caller's id, or where it is not known, its network.</param>
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
        public static partial void More(ILogger logger, LogLevel level, int count, string source, int status, string type);

        [LoggerMessage(LogLevel.Warning, "{Count} more requests of other sources were refused or failed within a second")]
        public static partial void Others(ILogger logger, int count);
    }
}

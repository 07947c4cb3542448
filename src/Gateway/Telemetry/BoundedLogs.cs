namespace Gateway.Telemetry;

/// <summary>
/// Bounds the log lines that callers can cause. Of each event at <see cref="LogLevel.Warning"/> or above,
/// <see cref="WholeLines"/> lines a second are written, and one line sums up the others. Server errors that a caller
/// can cause at will get a lower level; the server's metrics count them.
/// </summary>
internal sealed partial class BoundedLogs : ILoggerFactory
{
    public const int WholeLines = 20;

    // Categories and events come from code, so there are few.
    private const int MostEvents = 1000;

    private readonly ILoggerFactory _inner;
    private readonly string[] _boundedAlready;
    private readonly PerSecond<(Logger? Logger, LogLevel Level, EventId Event)> _events;

    public BoundedLogs(ILoggerFactory inner, TimeProvider clock, string[] boundedAlready)
    {
        (_inner, _boundedAlready) = (inner, boundedAlready);
        _events = new(WholeLines, MostEvents, default, clock, (of, count) =>
        {
            var name = of.Event.ToString();
            if (of.Logger is not null) Log.More(of.Logger.Inner, of.Level, count, name);
        });
    }

    public ILogger CreateLogger(string categoryName)
    {
        var logger = _inner.CreateLogger(categoryName);
        return _boundedAlready.Contains(categoryName)
            ? logger : new Logger(this, logger, CallerFaults.MayBeOf(categoryName));
    }

    public void AddProvider(ILoggerProvider provider) => _inner.AddProvider(provider);

    public void Dispose()
    {
        _events.Dispose();
        _inner.Dispose();
    }

    /// <summary>
    /// Events that Kestrel logs as critical, although a caller can cause them at will by opening and resetting HTTP/2
    /// streams. They are not errors of the gateway.
    /// </summary>
    private static class CallerFaults
    {
        private const string Kestrel = "Microsoft.AspNetCore.Server.Kestrel", Http2 = Kestrel + ".Http2";

        public static bool MayBeOf(string category) => category is Kestrel or Http2;

        public static LogLevel LevelOf(EventId id, LogLevel level) => id.Name switch
        {
            // The caller resets streams faster than the server can end them. The server has closed the connection.
            "Http2QueueOperationsExceeded" or "Http2FlowControlQueueOperationsExceeded" => LogLevel.Debug,
            // The server has abandoned such a connection before its work ended.
            "ApplicationNeverCompleted" => LogLevel.Warning,
            _ => level,
        };
    }

    private sealed class Logger(BoundedLogs owner, ILogger inner, bool mayHaveCallerFaults) : ILogger
    {
        public ILogger Inner => inner;

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => inner.BeginScope(state);

        public bool IsEnabled(LogLevel logLevel) => inner.IsEnabled(logLevel);

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter)
        {
            if (mayHaveCallerFaults) logLevel = CallerFaults.LevelOf(eventId, logLevel);
            if (!inner.IsEnabled(logLevel)) return;
            if (logLevel >= LogLevel.Warning && !owner._events.Take((this, logLevel, eventId))) return;
            inner.Log(logLevel, eventId, state, exception, formatter);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(Message = "{Count} more lines of the event {Event} were not written within a second")]
        public static partial void More(ILogger logger, LogLevel level, int count, string @event);
    }
}

using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;
using Microsoft.Extensions.Options;

namespace Gateway.Telemetry;

/// <summary>
/// Writes log lines to standard output, in the format and by the options of <c>Logging:Console</c>. A dedicated thread
/// writes the lines, so logging never blocks. While <c>MaxQueueLength</c> lines are queued, further lines are dropped,
/// and a later line reports their number.
/// </summary>
/// <remarks>
/// This provider replaces the framework's console logger, whose queue either blocks callers or reports dropped lines to
/// standard error as plain text.
/// </remarks>
[ProviderAlias("Console")]
internal sealed partial class LogOutput : ILoggerProvider, ISupportExternalScope
{
    // The longest wait for queued lines when the process ends.
    private static readonly TimeSpan LongestEnd = TimeSpan.FromSeconds(1.5);

    // While lines keep being dropped, their number is reported at this interval.
    private static readonly TimeSpan ReportInterval = TimeSpan.FromSeconds(1);

    private readonly ConsoleFormatter[] _formatters;
    private readonly TextWriter _output, _errors;
    private readonly TimeProvider _clock;
    private readonly IDisposable? _subscription;
    private readonly Thread _writer;
    private readonly Queue<Line> _waiting = new();
    private readonly Logger _own;
    private volatile Form _form;
    private IExternalScopeProvider? _scopes;
    private bool _isEnding;
    private long _dropped, _reported, _lastReport;

    public LogOutput(
        IOptionsMonitor<ConsoleLoggerOptions> options, IEnumerable<ConsoleFormatter> formatters, TimeProvider clock)
        : this(options, formatters, clock, Console.Out, Console.Error)
    {
    }

    /// <summary>Creates an instance that writes to other writers than the console's.</summary>
    internal LogOutput(
        IOptionsMonitor<ConsoleLoggerOptions> options, IEnumerable<ConsoleFormatter> formatters, TimeProvider clock,
        TextWriter output, TextWriter errors)
    {
        _formatters = [.. formatters];
        (_clock, _output, _errors) = (clock, output, errors);
        _form = FormOf(options.CurrentValue);
        _subscription = options.OnChange(changed => _form = FormOf(changed));
        _own = new Logger(this, typeof(LogOutput).FullName!, isReport: true);
        _writer = new Thread(WriteAll) { IsBackground = true, Name = "Log output" };
        _writer.Start();
    }

    /// <summary>The number of lines dropped since the start of the process.</summary>
    public long Dropped => Interlocked.Read(ref _dropped);

    public ILogger CreateLogger(string categoryName) => new Logger(this, categoryName, isReport: false);

    public void SetScopeProvider(IExternalScopeProvider scopeProvider) => _scopes = scopeProvider;

    public void Dispose()
    {
        _subscription?.Dispose();
        lock (_waiting)
        {
            _isEnding = true;
            Monitor.PulseAll(_waiting);
        }
        _writer.Join(LongestEnd);
    }

    private Form FormOf(ConsoleLoggerOptions options)
    {
        var name = options.FormatterName ?? ConsoleFormatterNames.Simple;
        var formatter = Array.Find(_formatters, one => one.Name.Equals(name, StringComparison.OrdinalIgnoreCase))
            ?? Array.Find(_formatters, one => one.Name == ConsoleFormatterNames.Simple) ?? _formatters[0];
        return new Form(formatter, options.LogToStandardErrorThreshold, options.MaxQueueLength);
    }

    private void Enqueue(in Line line, bool isReport)
    {
        lock (_waiting)
        {
            if (_isEnding || (_waiting.Count >= _form.MaxQueueLength && !isReport))
            {
                Interlocked.Increment(ref _dropped);
                return;
            }
            _waiting.Enqueue(line);
            if (_waiting.Count == 1) Monitor.Pulse(_waiting);
        }
    }

    private void WriteAll()
    {
        while (true)
        {
            Line line;
            lock (_waiting)
            {
                while (_waiting.Count == 0)
                {
                    if (_isEnding) return;
                    Monitor.Wait(_waiting);
                }
                line = _waiting.Dequeue();
            }
            try
            {
                (line.IsError ? _errors : _output).Write(line.Text);
            }
            catch (Exception e) when (e is IOException or ObjectDisposedException)
            {
                Interlocked.Increment(ref _dropped);
                continue;
            }
            ReportDropped();
        }
    }

    private void ReportDropped()
    {
        long lost;
        lock (_waiting)
        {
            lost = _dropped - _reported;
            if (lost == 0 || (_waiting.Count > 0 && _clock.GetElapsedTime(_lastReport) < ReportInterval)) return;
            _reported = _dropped;
            _lastReport = _clock.GetTimestamp();
        }
        Log.Dropped(_own, lost);
    }

    private readonly record struct Line(string Text, bool IsError);

    private sealed record Form(ConsoleFormatter Formatter, LogLevel ToErrors, int MaxQueueLength);

    private sealed class Logger(LogOutput output, string category, bool isReport) : ILogger
    {
        [ThreadStatic]
        private static StringWriter? _writerOfThread;

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => output._scopes?.Push(state);

        public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter)
        {
            var form = output._form;
            var writer = _writerOfThread ??= new StringWriter();
            var text = writer.GetStringBuilder();
            var entry = new LogEntry<TState>(logLevel, category, eventId, state, exception, formatter);
            try
            {
                form.Formatter.Write(entry, output._scopes, writer);
                if (text.Length > 0) output.Enqueue(new Line(text.ToString(), logLevel >= form.ToErrors), isReport);
            }
            catch (Exception)
            {
                // A line that cannot be formatted, for example because memory is short, must not fail its request.
                Interlocked.Increment(ref output._dropped);
            }
            Empty(text);
        }

        private static void Empty(StringBuilder text)
        {
            text.Clear();
            if (text.Capacity > 4096) text.Capacity = 4096;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning,
            "{Lost} log lines were dropped because standard output was not read fast enough")]
        public static partial void Dropped(ILogger logger, long lost);
    }
}

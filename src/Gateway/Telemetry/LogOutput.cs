using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;
using Microsoft.Extensions.Options;

namespace Gateway.Telemetry;

/// <summary>
/// Writes log lines to standard output, in the form and by the options of <c>Logging:Console</c>. Nobody who logs waits
/// for it: a thread of its own writes, and while <c>MaxQueueLength</c> lines wait, further ones are dropped. When there
/// is room again one line says how many were.
/// </summary>
/// <remarks>
/// It stands in for the framework's console logger, whose queue blocks those who log, or else tells of drops on
/// standard error, as plain text.
/// </remarks>
[ProviderAlias("Console")]
internal sealed partial class LogOutput : ILoggerProvider, ISupportExternalScope
{
    // How long the end of the process waits for lines that have yet to be written.
    private static readonly TimeSpan LongestEnd = TimeSpan.FromSeconds(1.5);

    // How often lost lines are told of while standard output is read, but too slowly.
    private static readonly TimeSpan BetweenNotices = TimeSpan.FromSeconds(1);

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
    private long _dropped, _told, _lastNotice;

    public LogOutput(IOptionsMonitor<ConsoleLoggerOptions> options, IEnumerable<ConsoleFormatter> formatters, TimeProvider clock)
        : this(options, formatters, clock, Console.Out, Console.Error)
    {
    }

    /// <summary>The same, to other writers.</summary>
    internal LogOutput(IOptionsMonitor<ConsoleLoggerOptions> options, IEnumerable<ConsoleFormatter> formatters, TimeProvider clock,
        TextWriter output, TextWriter errors)
    {
        _formatters = [.. formatters];
        (_clock, _output, _errors) = (clock, output, errors);
        _form = FormOf(options.CurrentValue);
        _subscription = options.OnChange(changed => _form = FormOf(changed));
        _own = new Logger(this, typeof(LogOutput).FullName!, isNotice: true);
        _writer = new Thread(WriteAll) { IsBackground = true, Name = "Log output" };
        _writer.Start();
    }

    /// <summary>How many lines were dropped since the start.</summary>
    public long Dropped => Interlocked.Read(ref _dropped);

    public ILogger CreateLogger(string categoryName) => new Logger(this, categoryName, isNotice: false);

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

    private void Enqueue(in Line line, bool isNotice)
    {
        lock (_waiting)
        {
            if (_isEnding || (_waiting.Count >= _form.MaxQueueLength && !isNotice))
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
            TellOfDropped();
        }
    }

    private void TellOfDropped()
    {
        long lost;
        lock (_waiting)
        {
            lost = _dropped - _told;
            if (lost == 0 || (_waiting.Count > 0 && _clock.GetElapsedTime(_lastNotice) < BetweenNotices)) return;
            _told = _dropped;
            _lastNotice = _clock.GetTimestamp();
        }
        Log.Dropped(_own, lost);
    }

    private readonly record struct Line(string Text, bool IsError);

    private sealed record Form(ConsoleFormatter Formatter, LogLevel ToErrors, int MaxQueueLength);

    private sealed class Logger(LogOutput output, string category, bool isNotice) : ILogger
    {
        [ThreadStatic]
        private static StringWriter? _writerOfThread;

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => output._scopes?.Push(state);

        public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            var form = output._form;
            var writer = _writerOfThread ??= new StringWriter();
            var text = writer.GetStringBuilder();
            var entry = new LogEntry<TState>(logLevel, category, eventId, state, exception, formatter);
            try
            {
                form.Formatter.Write(entry, output._scopes, writer);
                if (text.Length > 0) output.Enqueue(new Line(text.ToString(), logLevel >= form.ToErrors), isNotice);
            }
            catch (Exception)
            {
                // A line that has no text, for want of memory or handles say, must not fail the request that it is
                // about.
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
        [LoggerMessage(LogLevel.Warning, "{Lost} log lines were dropped, because standard output was not read fast enough")]
        public static partial void Dropped(ILogger logger, long lost);
    }
}

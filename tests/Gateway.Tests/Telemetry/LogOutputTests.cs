using Gateway.Telemetry;
using Gateway.Tests.Infrastructure;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;

namespace Gateway.Tests.Telemetry;

public sealed partial class LogOutputTests : IDisposable
{
    private const int Waiting = 10;

    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(30);

    private readonly FakeTimeProvider _clock = new();
    private readonly SlowWriter _output = new();

    [Fact]
    public async Task Lines_that_nobody_reads_are_dropped_and_reported_in_one_line()
    {
        using var output = New(("MaxQueueLength", $"{Waiting}"));
        var logger = output.CreateLogger("Test");
        Log.Line(logger, 0);
        // The writer holds the first line, so the queue can now fill up to its maximum.
        await _output.Began.WaitAsync(Bound, World.Cancellation);

        for (var i = 0; i < Waiting + 25; i++) Log.Line(logger, i + 1);

        Assert.Equal(25, output.Dropped);
        _output.Go();
        await Wait.UntilAsync(
            Bound, () => _output.Text.Contains("25 log lines were dropped", StringComparison.Ordinal),
            "the dropped lines are reported");
        var lines = _output.Text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(1 + Waiting + 1, lines.Length);
        Assert.All(lines, line => Assert.StartsWith("{\"", line, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_blocked_log_does_not_keep_the_process_from_exiting()
    {
        var output = New();
        Log.Line(output.CreateLogger("Test"), 0);
        await _output.Began.WaitAsync(Bound, World.Cancellation);
        await Task.Run(output.Dispose, World.Cancellation).WaitAsync(Bound, World.Cancellation);
        _output.Go();
    }

    [Fact]
    public async Task Dispose_waits_until_queued_lines_are_written()
    {
        _output.Go();
        var output = New();
        for (var i = 0; i < 1000; i++) Log.Line(output.CreateLogger("Test"), i);
        await Task.Run(output.Dispose, World.Cancellation).WaitAsync(Bound, World.Cancellation);
        Assert.Contains("line 999", _output.Text, StringComparison.Ordinal);
    }

    public void Dispose() => _output.Dispose();

    private LogOutput New(params (string Key, string? Value)[] settings)
    {
        using var services = new ServiceCollection().AddLogging(logging => logging.AddJsonConsole())
            .Configure<ConsoleLoggerOptions>(options =>
            {
                foreach (var (_, value) in settings) options.MaxQueueLength = int.Parse(value!, null);
            })
            .BuildServiceProvider();
        var options = services.GetRequiredService<IOptionsMonitor<ConsoleLoggerOptions>>();
        return new LogOutput(options, services.GetServices<ConsoleFormatter>(), _clock, _output, _output);
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "line {Number}")]
        public static partial void Line(ILogger logger, int number);
    }

    /// <summary>Takes a line, and does not return until <see cref="Go"/> is called.</summary>
    private sealed class SlowWriter : StringWriter
    {
        private readonly ManualResetEventSlim _go = new();
        private readonly TaskCompletionSource _began = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly Lock _lock = new();

        public Task Began => _began.Task;

        public string Text
        {
            get { lock (_lock) return ToString(); }
        }

        public void Go() => _go.Set();

        public override void Write(string? value)
        {
            _began.TrySetResult();
            _go.Wait();
            lock (_lock) base.Write(value);
        }
    }
}

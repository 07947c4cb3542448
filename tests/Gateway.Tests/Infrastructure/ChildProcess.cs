using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Gateway.Tests.Infrastructure;

/// <summary>A child process whose output is recorded. Disposing of it kills it.</summary>
internal sealed class ChildProcess : IAsyncDisposable
{
    // Generous, because a program may fetch packages on a shared machine.
    private static readonly TimeSpan ConditionTimeout = TimeSpan.FromSeconds(60), ExitTimeout = TimeSpan.FromMinutes(5);

    private static int _lastPort = Random.Shared.Next(10_000, 28_000);

    private readonly Process _process;
    private readonly ConcurrentQueue<string> _output = new();

    /// <param name="readsOutput">
    /// False to leave the output in the pipe until <see cref="ReadOutput"/> is called.
    /// </param>
    public ChildProcess(
        string program, IEnumerable<string> arguments, Dictionary<string, string?>? environment = null,
        bool readsOutput = true)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = Repository.Root,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (name, value) in environment ?? []) start.Environment[name] = value;
        _process = new Process { StartInfo = start };
        _process.OutputDataReceived += Keep;
        _process.ErrorDataReceived += Keep;
        _process.Start();
        if (readsOutput) ReadOutput();
        _process.BeginErrorReadLine();
    }

    public int Id => _process.Id;

    public string Output => string.Join('\n', _output);

    /// <summary>
    /// Returns a free port below the range of outgoing connections. Each port is handed out once.
    /// </summary>
    public static int FreePort()
    {
        while (true)
        {
            var port = Interlocked.Increment(ref _lastPort);
            try
            {
                using var listener = new TcpListener(IPAddress.IPv6Any, port);
                listener.Server.DualMode = true;
                listener.Start();
                return port;
            }
            catch (SocketException)
            {
                // The port is in use.
            }
        }
    }

    /// <summary>Starts to read the standard output.</summary>
    public void ReadOutput() => _process.BeginOutputReadLine();

    /// <summary>Runs a program to its end.</summary>
    public static async Task<(int Exit, string Output)> RunAsync(
        string program, IEnumerable<string> arguments, Dictionary<string, string?>? environment = null)
    {
        await using var child = new ChildProcess(program, arguments, environment);
        return (await child.ExitAsync(), child.Output);
    }

    public async Task<int> ExitAsync()
    {
        using var bound = new CancellationTokenSource(ExitTimeout);
        try
        {
            await _process.WaitForExitAsync(bound.Token);
        }
        catch (OperationCanceledException)
        {
            Assert.Fail($"{_process.StartInfo.FileName} has not ended within {ExitTimeout}:\n{Output}");
        }
        return _process.ExitCode;
    }

    /// <summary>Sends a signal, for example INT like Ctrl-C, or TERM like an orchestrator.</summary>
    public void Signal(string signal) => Process.Start("kill", ["-s", signal, $"{_process.Id}"]).WaitForExit();

    /// <summary>Waits until a condition holds. Fails if the program ends or the timeout expires.</summary>
    public async Task UntilAsync(Func<Task<bool>> holds)
    {
        var waiting = Stopwatch.StartNew();
        while (!await holds())
        {
            Assert.False(_process.HasExited, $"The program ended early:\n{Output}");
            Assert.True(waiting.Elapsed < ConditionTimeout,
                $"The condition did not hold within {ConditionTimeout}:\n{Output}");
            await Task.Delay(50);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited) _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    private void Keep(object sender, DataReceivedEventArgs line)
    {
        if (line.Data is not null) _output.Enqueue(line.Data);
    }
}

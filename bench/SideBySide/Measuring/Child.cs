using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Gateway.SideBySide.Measuring;

/// <summary>A child process with its descendants, which end with this process.</summary>
internal sealed class Child : IAsyncDisposable
{
    private static readonly ConcurrentDictionary<int, Child> Alive = new();

    // An upper bound for all commands; the longest one compiles a framework.
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(15);

    private static readonly Lock Listing = new();

    private readonly Process _process;
    private readonly StringBuilder _output = new();

    private Child(Process process) => _process = process;

    /// <summary>A file that lists all child processes, for a cleanup after this process was killed, or null.</summary>
    public static string? List { get; set; }

    public int Id => _process.Id;

    public bool HasExited => _process.HasExited;

    public string Output
    {
        get { lock (_output) return _output.ToString(); }
    }

    /// <param name="cores">The cores in the syntax of taskset.</param>
    public static Child Start(string cores, string command, IEnumerable<string> arguments,
        IReadOnlyDictionary<string, string>? environment = null)
    {
        var start = new ProcessStartInfo(
            "taskset", ["-c", cores, command, .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true
        };
        foreach (var (key, value) in environment ?? new Dictionary<string, string>()) start.Environment[key] = value;
        var child = new Child(new Process { StartInfo = start });
        child._process.OutputDataReceived += (_, line) => child.Hear(line.Data);
        child._process.ErrorDataReceived += (_, line) => child.Hear(line.Data);
        child._process.Start();
        Alive[child.Id] = child;
        lock (Listing) if (List is not null) File.AppendAllLines(List, [$"{child.Id}"]);
        child._process.BeginOutputReadLine();
        child._process.BeginErrorReadLine();
        return child;
    }

    /// <returns>The output.</returns>
    /// <exception cref="InvalidOperationException">The command failed.</exception>
    public static async Task<string> RunAsync(
        string cores, string command, IEnumerable<string> arguments, CancellationToken stop)
    {
        await using var child = Start(cores, command, arguments);
        try
        {
            await child._process.WaitForExitAsync(stop).WaitAsync(Longest, stop);
        }
        catch (TimeoutException)
        {
            throw new InvalidOperationException($"{command} does not end: {child.Output}");
        }
        return child._process.ExitCode == 0 ? child.Output
            : throw new InvalidOperationException($"{command} ended with {child._process.ExitCode}: {child.Output}");
    }

    /// <summary>Waits until the process accepts connections.</summary>
    /// <exception cref="InvalidOperationException">The process ended or does not listen.</exception>
    public async Task<Child> ListeningAsync(int port, CancellationToken stop, TimeSpan? every = null)
    {
        var watch = Stopwatch.StartNew();
        while (!await IsOpenAsync(port, stop))
        {
            if (HasExited)
                throw new InvalidOperationException($"{_process.StartInfo.ArgumentList[2]} did not start: {Output}");
            if (watch.Elapsed > TimeSpan.FromSeconds(30))
                throw new InvalidOperationException($"{_process.StartInfo.ArgumentList[2]} does not listen: {Output}");
            await Task.Delay(every ?? TimeSpan.FromMilliseconds(20), stop);
        }
        return this;
    }

    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    /// <summary>The ids of the process and all its descendants.</summary>
    public int[] Tree()
    {
        var (found, next) = (new List<int>(), new Queue<int>([Id]));
        while (next.TryDequeue(out var id))
        {
            found.Add(id);
            foreach (var child in ChildrenOf(id)) next.Enqueue(child);
        }
        return [.. found];
    }

    /// <summary>Kills all processes that still run, without waiting.</summary>
    public static void KillAll()
    {
        foreach (var child in Alive.Values) child.Kill();
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            // Processes with children end them on SIGTERM.
            _ = Native.Kill(Id, Native.Terminate);
            using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(10));
            try
            {
                await _process.WaitForExitAsync(timeout.Token);
            }
            catch (OperationCanceledException)
            {
                Kill();
                await _process.WaitForExitAsync(CancellationToken.None);
            }
        }
        Alive.TryRemove(Id, out _);
        _process.Dispose();
    }

    private static async Task<bool> IsOpenAsync(int port, CancellationToken stop)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(IPAddress.Loopback, port, stop);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private static List<int> ChildrenOf(int id)
    {
        var children = new List<int>();
        try
        {
            foreach (var thread in Directory.GetDirectories($"/proc/{id}/task"))
            {
                var ids = File.ReadAllText(Path.Combine(thread, "children"))
                    .Split(' ', StringSplitOptions.RemoveEmptyEntries);
                children.AddRange(ids.Select(child => int.Parse(child, CultureInfo.InvariantCulture)));
            }
        }
        catch (IOException)
        {
            // The process has just ended.
        }
        return children;
    }

    private void Kill()
    {
        try
        {
            _process.Kill(entireProcessTree: true);
        }
        catch (InvalidOperationException)
        {
            // The process has just ended.
        }
    }

    private void Hear(string? line)
    {
        if (line is null) return;
        // Only the beginning of the output matters.
        lock (_output) if (_output.Length < 64 * 1024) _output.AppendLine(line);
    }
}

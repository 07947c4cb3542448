using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Gateway.SideBySide.Measuring;

/// <summary>A process that was started here, with what it starts, and ends with this one.</summary>
internal sealed class Child : IAsyncDisposable
{
    private static readonly ConcurrentDictionary<int, Child> Alive = new();

    // No command here takes as long: what does most compiles a whole framework.
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(15);

    private static readonly Lock Listing = new();

    private readonly Process _process;
    private readonly StringBuilder _output = new();

    private Child(Process process) => _process = process;

    /// <summary>
    /// A file that is to list all processes, for whoever ends them where this one cannot any more; null: none.
    /// </summary>
    public static string? List { get; set; }

    public int Id => _process.Id;

    public bool HasExited => _process.HasExited;

    public string Output
    {
        get { lock (_output) return _output.ToString(); }
    }

    /// <param name="cores">As taskset has them.</param>
    public static Child Start(string cores, string command, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment = null)
    {
        var start = new ProcessStartInfo("taskset", ["-c", cores, command, .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true };
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

    /// <returns>What it printed.</returns>
    /// <exception cref="InvalidOperationException">It failed.</exception>
    public static async Task<string> RunAsync(string cores, string command, IEnumerable<string> arguments, CancellationToken stop)
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
        return child._process.ExitCode == 0 ? child.Output : throw new InvalidOperationException($"{command} ended with {child._process.ExitCode}: {child.Output}");
    }

    /// <summary>Waits until it takes connections.</summary>
    /// <exception cref="InvalidOperationException">It ended, or takes none.</exception>
    public async Task<Child> ListeningAsync(int port, CancellationToken stop, TimeSpan? every = null)
    {
        var watch = Stopwatch.StartNew();
        while (!await IsOpenAsync(port, stop))
        {
            if (HasExited) throw new InvalidOperationException($"{_process.StartInfo.ArgumentList[2]} did not start: {Output}");
            if (watch.Elapsed > TimeSpan.FromSeconds(30)) throw new InvalidOperationException($"{_process.StartInfo.ArgumentList[2]} does not listen: {Output}");
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

    /// <summary>Itself and all that it started.</summary>
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

    /// <summary>Ends whatever is still running; for when there is no time for more.</summary>
    public static void KillAll()
    {
        foreach (var child in Alive.Values) child.Kill();
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            // Those with children of their own end them when they are asked to.
            _ = Native.Kill(Id, Native.Terminate);
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(10));
            try
            {
                await _process.WaitForExitAsync(patience.Token);
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
                var ids = File.ReadAllText(Path.Combine(thread, "children")).Split(' ', StringSplitOptions.RemoveEmptyEntries);
                children.AddRange(ids.Select(child => int.Parse(child, CultureInfo.InvariantCulture)));
            }
        }
        catch (IOException)
        {
            // It has just ended.
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
            // It has just ended.
        }
    }

    private void Hear(string? line)
    {
        if (line is null) return;
        // What matters is how it began.
        lock (_output) if (_output.Length < 64 * 1024) _output.AppendLine(line);
    }
}

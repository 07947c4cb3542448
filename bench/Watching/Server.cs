using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;

namespace Gateway.WatchingBench;

/// <summary>A server process and its child processes, whose CPU time and memory are read from the system.</summary>
internal sealed class Server : IDisposable
{
    private readonly Process _process;

    private Server(Process process) => _process = process;

    public static async Task<Server> StartAsync(
        string program, string arguments, int port, Dictionary<string, string>? environment = null)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true };
        foreach (var (name, value) in environment ?? []) start.Environment[name] = value;
        var server = new Server(Process.Start(start)!);
        _ = server._process.StandardOutput.ReadToEndAsync();
        for (var tries = 0; tries < 200; tries++)
        {
            try
            {
                using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
                await socket.ConnectAsync("127.0.0.1", port);
                return server;
            }
            catch (SocketException)
            {
                await Task.Delay(100);
            }
        }
        server.Dispose();
        throw new InvalidOperationException($"{program} does not listen on port {port}");
    }

    /// <summary>The CPU time that the process and its children have used.</summary>
    public TimeSpan CpuTime => TimeSpan.FromMilliseconds(Ids().Sum(id =>
    {
        var fields = File.ReadAllText($"/proc/{id}/stat").Split(") ")[1].Split(' ');
        // The unit is 1/100 s. Fields 14 and 15 of proc(5), which count from the id.
        return 10 * (Number(fields[11]) + Number(fields[12]));
    }));

    /// <summary>The resident memory, in bytes.</summary>
    public long Memory => Ids().Sum(id => Number(File.ReadAllText($"/proc/{id}/statm").Split(' ')[1]) * 4096);

    public void Dispose()
    {
        _process.Kill(entireProcessTree: true);
        _process.WaitForExit();
        _process.Dispose();
    }

    private int[] Ids()
    {
        var id = _process.Id;
        var children = File.ReadAllText($"/proc/{id}/task/{id}/children")
            .Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return [id, .. children.Select(child => (int)Number(child))];
    }

    private static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);
}

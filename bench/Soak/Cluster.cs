using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;

namespace Gateway.Soak;

/// <summary>One gateway process whose wall clock the run sets.</summary>
/// <param name="ClockFile">The file that libfaketime reads the offset of the wall clock from.</param>
internal sealed record Node(int Number, Process Process, Uri Address, Uri Http2Address, string ClockFile)
{
    /// <summary>Sets the wall clock of this process only. The monotonic clock is not changed.</summary>
    public void SetClock(TimeSpan offset)
    {
        var next = ClockFile + ".next";
        File.WriteAllText(next, offset.TotalSeconds.ToString("+0;-0;+0", CultureInfo.InvariantCulture));
        File.Move(next, ClockFile, overwrite: true);
    }

    /// <summary>Resident memory in bytes (proc(5), VmRSS).</summary>
    public long ResidentBytes()
    {
        var lines = File.ReadLines($"/proc/{Process.Id}/status");
        var words = lines.First(line => line.StartsWith("VmRSS:", StringComparison.Ordinal)).Split([' ', '\t'],
            StringSplitOptions.RemoveEmptyEntries);
        return long.Parse(words[1], CultureInfo.InvariantCulture) * 1024;
    }

    /// <summary>Open file handles.</summary>
    public int Handles() => Directory.GetFileSystemEntries($"/proc/{Process.Id}/fd").Length;
}

/// <summary>A Redis, a simulated upstream, and two gateways that share both, each in a process of its own.</summary>
internal sealed class Cluster : IAsyncDisposable
{
    public const string Key = "soak-key-0123456789abcdef", LimitedKey = "soak-limited-0123456789";

    private const string Credential = "soak-upstream-credential";

    // Small, so that memory fills up long before the first third of a run has passed.
    private const int MemoryBytes = 32 * 1024 * 1024;

    private readonly string _temporary = Directory.CreateTempSubdirectory("soak").FullName;
    private readonly List<Process> _processes = [];
    private readonly int _redisPort = FreePort();
    private Process? _redis;
    private long _lines;

    public List<Node> Nodes { get; } = [];

    public Uri Upstream { get; } = new($"http://127.0.0.1:{FreePort()}/");

    /// <summary>The number of log lines of all gateways.</summary>
    public long LogLines => Interlocked.Read(ref _lines);

    public static async Task<Cluster> StartAsync(Folders folders, CancellationToken stop)
    {
        var cluster = new Cluster();
        try
        {
            cluster.StartRedis();
            var simulator = Path.Combine(folders.Simulator, "Simulator.dll");
            cluster.Start("dotnet", [simulator, "--port", $"{cluster.Upstream.Port}", "--credential", Credential], []);
            for (var number = 1; number <= 2; number++) cluster.StartNode(folders, number);
            using var client = new HttpClient();
            foreach (var node in cluster.Nodes) await UntilHealthyAsync(client, node, stop);
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>Kills Redis, and starts an empty one after a while.</summary>
    public async Task RestartRedisAsync(TimeSpan away, CancellationToken stop)
    {
        await EndAsync(_redis!);
        _processes.Remove(_redis!);
        await Task.Delay(away, stop);
        StartRedis();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var process in Enumerable.Reverse(_processes)) await EndAsync(process);
        Directory.Delete(_temporary, recursive: true);
    }

    private static async Task UntilHealthyAsync(HttpClient client, Node node, CancellationToken stop)
    {
        for (var tries = 1; ; tries++)
        {
            try
            {
                using var answer = await client.GetAsync(new Uri(node.Address, "health/ready"), stop);
                if (answer.StatusCode == HttpStatusCode.OK) return;
            }
            catch (HttpRequestException) when (tries < 300)
            {
                // The process does not listen yet.
            }
            await Task.Delay(100, stop);
        }
    }

    private void StartRedis() => _redis = Start("redis-server",
        ["--port", $"{_redisPort}", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
            "--maxmemory", "128mb", "--maxmemory-policy", "volatile-lru"], []);

    private void StartNode(Folders folders, int number)
    {
        var (port, http2Port) = (FreePort(), FreePort());
        var clock = Path.Combine(_temporary, $"clock-{number}");
        File.WriteAllText(clock, "+0");
        var process = Start("dotnet", [Path.Combine(folders.Gateway, "Gateway.dll")], new Dictionary<string, string>
        {
            ["LD_PRELOAD"] = folders.FaketimeLibrary,
            ["FAKETIME_TIMESTAMP_FILE"] = clock,
            ["FAKETIME_DONT_FAKE_MONOTONIC"] = "1",
            ["FAKETIME_CACHE_DURATION"] = "1",
            ["Kestrel__Endpoints__Http__Url"] = $"http://127.0.0.1:{port}",
            ["Kestrel__Endpoints__Http2__Url"] = $"http://127.0.0.1:{http2Port}",
            ["Kestrel__Endpoints__Http2__Protocols"] = "Http2",
            ["ConnectionStrings__Redis"] = $"127.0.0.1:{_redisPort}",
            ["Redis__Timeout"] = "00:00:00.5",
            ["Jobs__MemoryBytes"] = $"{MemoryBytes}",
            ["Upstream__BaseAddress"] = Upstream.ToString(),
            ["Upstream__Accounts__default__Credential"] = Credential,
            ["Upstream__Accounts__default__RequestsPerSecond"] = "10000",
            ["Upstream__Accounts__default__Burst"] = "10000",
            ["Upstream__Accounts__default__MaxConcurrentRequests"] = "1000",
            ["Quotas__ample__Requests"] = "1000000",
            ["Quotas__ample__Window"] = "00:00:01",
            ["Quotas__ample__Burst"] = "1000000",
            ["Quotas__scarce__Requests"] = "60",
            ["Quotas__scarce__Burst"] = "10",
            ["Teams__soak__Workflows__0"] = "*",
            ["Teams__soak__Quota"] = "ample",
            ["Teams__soak__ApiKeys__0__Id"] = "soak",
            ["Teams__soak__ApiKeys__0__Sha256"] = Sha256(Key),
            ["Teams__limited__Workflows__0"] = "*",
            ["Teams__limited__Quota"] = "scarce",
            ["Teams__limited__ApiKeys__0__Id"] = "limited",
            ["Teams__limited__ApiKeys__0__Sha256"] = Sha256(LimitedKey),
        });
        Uri address = new($"http://127.0.0.1:{port}/"), http2Address = new($"http://127.0.0.1:{http2Port}/");
        Nodes.Add(new Node(number, process, address, http2Address, clock));
    }

    private Process Start(string command, IEnumerable<string> arguments, Dictionary<string, string> environment)
    {
        var start = new ProcessStartInfo(command, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (name, value) in environment) start.Environment[name] = value;
        var process = Process.Start(start)!;
        _processes.Add(process);
        var isGateway = environment.Count > 0;
        process.OutputDataReceived += (_, line) => Count(line.Data);
        process.ErrorDataReceived += (_, line) => Count(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return process;

        void Count(string? line)
        {
            if (line is not null && isGateway) Interlocked.Increment(ref _lines);
        }
    }

    private static async Task EndAsync(Process process)
    {
        if (!process.HasExited) process.Kill();
        await process.WaitForExitAsync();
        process.Dispose();
    }

    private static string Sha256(string key) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.ASCII.GetBytes(key)));

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}

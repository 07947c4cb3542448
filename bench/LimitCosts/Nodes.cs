using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using StackExchange.Redis;

namespace Gateway.LimitCosts;

/// <summary>A Redis and some nodes in their own processes: the nodes on one core, the rest on the others.</summary>
internal sealed class Nodes : IAsyncDisposable
{
    private readonly List<Process> _processes = [];
    private readonly ConnectionMultiplexer _redis;

    private Nodes(ConnectionMultiplexer redis) => _redis = redis;

    public List<Uri> Addresses { get; } = [];

    public static async Task<Nodes> StartAsync(int count)
    {
        var port = FreePort();
        var redis = Start("redis-server", "--port", $"{port}", "--bind", "127.0.0.1", "--save", "",
            "--appendonly", "no");
        var nodes = new Nodes(await ConnectAsync($"127.0.0.1:{port},allowAdmin=true"));
        nodes._processes.Add(redis);
        for (var i = 0; i < count; i++)
        {
            var address = new Uri($"http://127.0.0.1:{FreePort()}");
            var node = Start("dotnet", typeof(Nodes).Assembly.Location, "serve", $"127.0.0.1:{port}",
                address.ToString());
            nodes._processes.Add(node);
            nodes.Addresses.Add(address);
            if (OperatingSystem.IsLinux() && Environment.ProcessorCount > 1) node.ProcessorAffinity = 1;
        }
        if (OperatingSystem.IsLinux() && Environment.ProcessorCount > 1)
        {
            redis.ProcessorAffinity = Process.GetCurrentProcess().ProcessorAffinity = (
                1 << Math.Min(30, Environment.ProcessorCount)) - 2;
        }
        using var client = new HttpClient();
        foreach (var address in nodes.Addresses)
            await UntilAsync(async () =>
                (await client.GetAsync(new Uri(address, $"{Server.None}/1-1"))).IsSuccessStatusCode);
        // Each node knows the other nodes.
        await Task.Delay(TimeSpan.FromSeconds(2));
        return nodes;
    }

    /// <summary>The number of commands that Redis has executed, not counting those within scripts.</summary>
    public async Task<long> CommandsAsync()
    {
        var stats = await _redis.GetServers()[0].InfoAsync("commandstats");
        return stats.SelectMany(section => section)
            .Where(line => line.Key is "cmdstat_eval" or "cmdstat_evalsha")
            .Sum(line => long.Parse(line.Value.Split(',')[0]["calls=".Length..], null));
    }

    public async ValueTask DisposeAsync()
    {
        await _redis.DisposeAsync();
        foreach (var process in Enumerable.Reverse(_processes))
        {
            process.Kill();
            await process.WaitForExitAsync();
            process.Dispose();
        }
    }

    private static Process Start(string command, params string[] arguments) =>
        Process.Start(new ProcessStartInfo(command, arguments) { RedirectStandardOutput = true })!;

    private static async Task<ConnectionMultiplexer> ConnectAsync(string to)
    {
        for (var tries = 1; ; tries++)
        {
            try
            {
                return await ConnectionMultiplexer.ConnectAsync(to);
            }
            catch (RedisConnectionException) when (tries < 20)
            {
                await Task.Delay(100);
            }
        }
    }

    private static async Task UntilAsync(Func<Task<bool>> holds)
    {
        for (var tries = 1; ; tries++)
        {
            try
            {
                if (await holds()) return;
            }
            catch (HttpRequestException) when (tries < 100)
            {
                await Task.Delay(100);
            }
        }
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}

using System.Globalization;
using StackExchange.Redis;

namespace Gateway.Tests.Infrastructure;

/// <summary>A real master, a replica, and three sentinels that promote the replica when the master fails.</summary>
internal sealed class RedisSentinels : IAsyncDisposable
{
    public const string Service = "jobs";

    private const int Count = 3;

    private readonly OwnRedis _first = new(), _second = new();
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("gateway-sentinel-");
    private readonly List<(ChildProcess Process, int Port)> _sentinels = [];

    public string ConnectionString =>
        string.Join(',', _sentinels.Select(sentinel => $"127.0.0.1:{sentinel.Port}")) + $",serviceName={Service}";

    /// <summary>The server that is the master at first.</summary>
    public OwnRedis First => _first;

    /// <summary>The server that is promoted.</summary>
    public OwnRedis Second => _second;

    /// <summary>Starts all servers. Skips the test if there is no <c>redis-server</c>.</summary>
    public static async Task<RedisSentinels> StartAsync()
    {
        var all = new RedisSentinels();
        try
        {
            await all._first.StartAsync();
            await all._second.StartAsync();
            await all._second.CommandAsync("REPLICAOF", "127.0.0.1", all._first.Port);
            for (var i = 0; i < Count; i++) all.StartSentinel();
            foreach (var (process, port) in all._sentinels) await process.UntilAsync(() => KnowsAllAsync(port));
        }
        catch
        {
            await all.DisposeAsync();
            throw;
        }
        return all;
    }

    /// <summary>Ends or freezes the master, and waits until the sentinels have promoted the replica.</summary>
    public async Task FailOverAsync(bool freeze = false)
    {
        if (freeze) _first.Freeze();
        else await _first.KillAsync();
        await Wait.UntilAsync(TimeSpan.FromSeconds(30),
            async () => await MasterAsync(_sentinels[0].Port) == _second.Port, "the replica is promoted");
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var (process, _) in _sentinels) await process.DisposeAsync();
        await _first.DisposeAsync();
        await _second.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    private void StartSentinel()
    {
        var port = ChildProcess.FreePort();
        var file = Path.Combine(_folder.FullName, $"{port}.conf");
        File.WriteAllText(file, string.Create(CultureInfo.InvariantCulture, $"""
            port {port}
            bind 127.0.0.1
            dir {_folder.FullName}
            sentinel monitor {Service} 127.0.0.1 {_first.Port} 2
            sentinel down-after-milliseconds {Service} 1000
            sentinel failover-timeout {Service} 5000

            """));
        _sentinels.Add((new ChildProcess("redis-server", [file, "--sentinel"]), port));
    }

    private static async Task<bool> KnowsAllAsync(int port)
    {
        var (sentinels, replicas) = (await AskAsync(port, "sentinels"), await AskAsync(port, "replicas"));
        return sentinels?.Length == Count - 1 && replicas?.Length == 1;
    }

    private static async Task<int> MasterAsync(int port) =>
        await AskAsync(port, "get-master-addr-by-name") is { Length: 2 } address ? (int)address[1] : 0;

    private static async Task<RedisResult?> AskAsync(int port, string question)
    {
        try
        {
            await using var connection = await ConnectionMultiplexer.ConnectAsync(new ConfigurationOptions
            {
                EndPoints = { { "127.0.0.1", port } },
                CommandMap = CommandMap.Sentinel,
                ConnectTimeout = 500,
                TieBreaker = "",
            });
            return await connection.GetServers()[0].ExecuteAsync("SENTINEL", question, Service);
        }
        catch (RedisException)
        {
            return null;
        }
    }
}

using System.Globalization;
using System.Net;
using StackExchange.Redis;

namespace Gateway.Tests.Infrastructure;

/// <summary>A real Redis Cluster of three masters without replicas.</summary>
internal sealed class RedisCluster : IAsyncDisposable
{
    private const int Masters = 3, Slots = 16384;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("gateway-cluster-");
    private readonly List<(ChildProcess Process, int Port, int BusPort)> _masters = [];
    private ConnectionMultiplexer? _connection;

    private RedisCluster()
    {
    }

    public string ConnectionString => string.Join(',', _masters.Select(master => $"127.0.0.1:{master.Port}"));

    /// <summary>Starts the cluster. Skips the test if there is no <c>redis-server</c>.</summary>
    /// <param name="fullCoverage">
    /// True if all masters refuse to answer while one is down, which is Redis's default.
    /// </param>
    public static async Task<RedisCluster> StartAsync(bool fullCoverage = true)
    {
        Assert.SkipUnless(RedisServer.IsOnPath("redis-server"),
            "This test needs redis-server, which is not on the PATH.");
        var cluster = new RedisCluster();
        try
        {
            for (var i = 0; i < Masters; i++) cluster.Start(fullCoverage);
            await cluster.JoinAsync();
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
        return cluster;
    }

    /// <summary>The number of jobs on each master.</summary>
    public async Task<long[]> CountAsync(string pattern = "gateway:{*}") =>
        await Task.WhenAll(Servers.Where(server => server.IsConnected).Select(async server =>
            await server.KeysAsync(pattern: pattern).LongCountAsync()));

    /// <summary>Kills one master: the one that holds the log of purges, or another one.</summary>
    public async Task KillAsync(bool holdsLog)
    {
        var owner = (IPEndPoint)(await _connection!.GetDatabase().IdentifyEndpointAsync("gateway:purges"))!;
        var master = _masters.First(master => master.Port == owner.Port == holdsLog).Process;
        master.Signal("KILL");
        await master.ExitAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (_connection is not null) await _connection.DisposeAsync();
        foreach (var (process, _, _) in _masters) await process.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    private IServer[] Servers => _connection!.GetServers();

    private void Start(bool fullCoverage)
    {
        var (port, busPort) = (ChildProcess.FreePort(), ChildProcess.FreePort());
        _masters.Add((new ChildProcess("redis-server",
        [
            "--port", $"{port}", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", _folder.FullName,
            "--cluster-enabled", "yes", "--cluster-port", $"{busPort}", "--cluster-config-file", $"{port}.conf",
            "--cluster-node-timeout", "2000", "--cluster-require-full-coverage", fullCoverage ? "yes" : "no",
        ]), port, busPort));
    }

    private async Task JoinAsync()
    {
        for (var i = 0; i < Masters; i++)
        {
            var (process, port, _) = _masters[i];
            await process.UntilAsync(async () => await AskAsync(port, "PING") is not null);
            var slots = Enumerable.Range(0, Slots).Where(slot => slot * Masters / Slots == i)
                .Select(slot => (object)slot);
            await AskAsync(port, "CLUSTER", ["ADDSLOTS", .. slots]);
            await AskAsync(port, "CLUSTER", ["SET-CONFIG-EPOCH", i + 1]);
        }
        foreach (var (_, port, busPort) in _masters.Skip(1))
        {
            await AskAsync(_masters[0].Port, "CLUSTER", ["MEET", "127.0.0.1", port, busPort]);
        }
        foreach (var (process, port, _) in _masters)
        {
            await process.UntilAsync(async () => await AskAsync(port, "CLUSTER", ["INFO"]) is { } info
                && info.Contains("cluster_state:ok", StringComparison.Ordinal)
                && info.Contains(string.Create(CultureInfo.InvariantCulture, $"cluster_known_nodes:{Masters}"),
                    StringComparison.Ordinal));
        }
        _connection = await ConnectionMultiplexer.ConnectAsync($"{ConnectionString},abortConnect=false");
    }

    private static async Task<string?> AskAsync(int port, string command, params object[] arguments)
    {
        try
        {
            await using var connection = await ConnectionMultiplexer.ConnectAsync(
                $"127.0.0.1:{port},allowAdmin=true,connectTimeout=500,connectRetry=1,abortConnect=true");
            return (await connection.GetServers()[0].ExecuteAsync(command, arguments)).ToString();
        }
        catch (RedisConnectionException)
        {
            return null;
        }
    }
}

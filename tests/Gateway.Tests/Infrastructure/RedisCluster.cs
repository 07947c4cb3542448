using System.Globalization;
using System.Net;
using StackExchange.Redis;

namespace Gateway.Tests.Infrastructure;

/// <summary>Three real Redis masters that share the slots, without replicas.</summary>
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

    /// <summary>Starts it, or skips the test where there is no <c>redis-server</c>.</summary>
    /// <param name="fullCoverage">
    /// Whether all of it refuses to answer when one master is away, which is Redis's default.
    /// </param>
    public static async Task<RedisCluster> StartAsync(bool fullCoverage = true)
    {
        Assert.SkipUnless(RedisServer.IsOnPath("redis-server"), "There is no redis-server on the PATH, and nothing else here makes a Redis Cluster.");
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

    /// <summary>How many jobs each master has.</summary>
    public async Task<long[]> CountAsync(string pattern = "gateway:{*}") =>
        await Task.WhenAll(Servers.Where(server => server.IsConnected).Select(async server =>
            await server.KeysAsync(pattern: pattern).LongCountAsync()));

    /// <summary>Ends one master for good: the one that has the log of purges, or one that has not.</summary>
    public async Task KillAsync(bool theOneWithTheLog)
    {
        var owner = (IPEndPoint)(await _connection!.GetDatabase().IdentifyEndpointAsync("gateway:purges"))!;
        var master = _masters.First(master => master.Port == owner.Port == theOneWithTheLog).Process;
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
            var slots = Enumerable.Range(0, Slots).Where(slot => slot * Masters / Slots == i).Select(slot => (object)slot);
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
                && info.Contains(string.Create(CultureInfo.InvariantCulture, $"cluster_known_nodes:{Masters}"), StringComparison.Ordinal));
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

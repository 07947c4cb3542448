using StackExchange.Redis;

namespace Gateway.Tests.Infrastructure;

/// <summary>A real redis-server for one test, which can be stopped, killed and restarted on its port.</summary>
internal sealed class OwnRedis : IAsyncDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("gateway-redis-");
    private readonly string _host;
    private readonly int _port;
    private ChildProcess? _process;

    public OwnRedis() : this("127.0.0.1", ChildProcess.FreePort())
    {
    }

    /// <param name="host">A loopback address.</param>
    /// <param name="port">A free port.</param>
    public OwnRedis(string host, int port)
    {
        Assert.SkipUnless(RedisServer.IsOnPath("redis-server"),
            "This test needs redis-server, which is not on the PATH.");
        (_host, _port) = (host, port);
    }

    public int Port => _port;

    public string ConnectionString => $"{_host}:{_port}";

    /// <summary>Starts the server, with its earlier data if it is persistent.</summary>
    public async Task StartAsync(bool persistent = false)
    {
        _process = new ChildProcess("redis-server",
        [
            "--port", $"{_port}", "--bind", _host, "--save", "", "--dir", _folder.FullName,
            "--appendonly", persistent ? "yes" : "no", "--appendfsync", "always",
        ]);
        await _process.UntilAsync(async () => await CommandAsync("PING") is not null);
    }

    /// <summary>Copies the current data of a persistent server, like a backup.</summary>
    /// <returns>An action that restores the copy while the server is stopped.</returns>
    public Action Backup()
    {
        const string Data = "appendonlydir";
        var files = Directory.GetFiles(Path.Combine(_folder.FullName, Data))
            .ToDictionary(file => file, File.ReadAllBytes);
        return () =>
        {
            Directory.Delete(Path.Combine(_folder.FullName, Data), recursive: true);
            Directory.CreateDirectory(Path.Combine(_folder.FullName, Data));
            foreach (var (file, bytes) in files) File.WriteAllBytes(file, bytes);
        };
    }

    public async Task KillAsync()
    {
        if (_process is not null) await _process.DisposeAsync();
        _process = null;
    }

    /// <summary>Stops the process: connections stay open, the system accepts new ones, and nothing answers.</summary>
    public void Freeze() => _process!.Signal("STOP");

    public void Thaw() => _process!.Signal("CONT");

    /// <returns>Null if the server is not reachable or still loads its data.</returns>
    public async Task<RedisResult?> CommandAsync(string command, params object[] arguments)
    {
        try
        {
            await using var connection = await ConnectionMultiplexer.ConnectAsync(
                $"{ConnectionString},connectTimeout=500,abortConnect=true,allowAdmin=true");
            return await connection.GetDatabase().ExecuteAsync(command, arguments);
        }
        catch (RedisConnectionException)
        {
            return null;
        }
        catch (RedisServerException e) when (e.Message.StartsWith("LOADING", StringComparison.Ordinal))
        {
            return null;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        _folder.Delete(recursive: true);
    }
}

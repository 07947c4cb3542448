using Gateway.Tests.Infrastructure;
using StackExchange.Redis;

[assembly: AssemblyFixture(typeof(RedisServer))]

namespace Gateway.Tests.Infrastructure;

/// <summary>
/// One real Redis for all tests: <c>redis-server</c> if it is on the PATH, otherwise Garnet from the tool manifest.
/// <c>GATEWAY_TEST_REDIS</c> selects one of them. On disposal all its values are searched for the credential.
/// </summary>
public sealed class RedisServer : IAsyncLifetime
{
    private const string Redis = "redis-server", Garnet = "garnet";
    private const int AtOnce = 500;

    private readonly int _port = ChildProcess.FreePort();
    private ChildProcess? _process;

    public int Port => _port;

    public string ConnectionString => $"127.0.0.1:{_port}";

    public async ValueTask InitializeAsync()
    {
        var kind = Environment.GetEnvironmentVariable("GATEWAY_TEST_REDIS") is { Length: > 0 } wanted ? wanted
            : IsOnPath(Redis) ? Redis
            : Garnet;
        switch (kind)
        {
            case Redis:
                _process = new ChildProcess(
                    Redis, ["--port", $"{_port}", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
                break;
            case Garnet:
                var (exit, output) = await ChildProcess.RunAsync("dotnet", ["tool", "restore"]);
                Assert.True(exit == 0, output);
                _process = new ChildProcess(
                    "dotnet", ["garnet-server", "--port", $"{_port}", "--bind", "127.0.0.1", "--lua",
                        "--lua-transaction-mode"]);
                break;
            default:
                throw new InvalidOperationException($"GATEWAY_TEST_REDIS is '{kind}'; it may be {Redis} or {Garnet}.");
        }
        await _process.UntilAsync(AnswersAsync);
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is null) return;
        try
        {
            await using var connection = await ConnectionMultiplexer.ConnectAsync(ConnectionString);
            await foreach (var keys in connection.GetServers()[0].KeysAsync(pageSize: AtOnce).Chunk(AtOnce))
            {
                await Task.WhenAll(keys.Select(key => SearchAsync(connection.GetDatabase(), key)));
            }
        }
        finally
        {
            await _process.DisposeAsync();
        }
    }

    private static async Task SearchAsync(IDatabase database, RedisKey key)
    {
        Canary.AssertAbsent("a Redis key", key.ToString());
        RedisValue[] values = await database.KeyTypeAsync(key) switch
        {
            RedisType.Hash => [.. (await database.HashGetAllAsync(key)).Select(field => field.Value)],
            RedisType.String => [await database.StringGetAsync(key)],
            RedisType.List => await database.ListRangeAsync(key),
            RedisType.SortedSet => await database.SortedSetRangeByRankAsync(key),
            _ => [],
        };
        foreach (var value in values) Canary.AssertAbsent("a Redis value", ((byte[]?)value).AsSpan());
    }

    private async Task<bool> AnswersAsync()
    {
        try
        {
            await using var connection = await ConnectionMultiplexer.ConnectAsync(
                $"{ConnectionString},connectTimeout=500,abortConnect=true");
            await connection.GetDatabase().PingAsync();
            return true;
        }
        catch (RedisException)
        {
            return false;
        }
    }

    public static bool IsOnPath(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
            .Any(folder => File.Exists(Path.Combine(folder, program)));
}

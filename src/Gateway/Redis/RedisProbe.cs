using System.Runtime.CompilerServices;
using Gateway.Outbound;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace Gateway.Redis;

/// <summary>
/// Connects to Redis, and uses each command that the gateway needs once, with keys of its own that expire. A missing
/// right of the user is thereby found before a node needs it.
/// </summary>
internal sealed class RedisProbe(
    IOptionsMonitor<ConnectionStringOptions> connections, IOptionsMonitor<RedisOptions> options,
    ILogger<RedisProbe> logger)
{
    private const string Text = "T", Hash = "H", Sorted = "S", List = "L";

    private static readonly TimeSpan LongestCheck = TimeSpan.FromSeconds(10);

    // A letter is the key of a type. Each type expires right after it is written.
    private static readonly string[] Commands =
    [
        "SET T v PX 10000", "SETEX T 10 v", "PSETEX T 10000 v", "GET T", "GETEX T PX 10000", "APPEND T v",
        "EXPIRE T 10", "PEXPIRE T 10000", "PTTL T", "DEL T",
        "HSET H f v", "EXPIRE H 10", "HMSET H f v", "HGET H f", "HMGET H f", "HSTRLEN H f", "HDEL H f", "UNLINK H",
        "ZADD S 1 m", "EXPIRE S 10", "ZCARD S", "ZSCORE S m", "ZREVRANGE S 0 -1", "ZRANGEBYSCORE S 0 1",
        "ZREMRANGEBYSCORE S 0 1", "DEL S", "RPUSH L v", "EXPIRE L 10", "LRANGE L 0 -1", "DEL L",
        "TIME", "SCAN 0 COUNT 1", "SCRIPT LOAD return", "EVAL return 0",
        "EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0", "PING", "ECHO m",
    ];

    public bool IsConfigured => connections.CurrentValue.Redis.Length > 0;

    /// <returns>What was tried, and why it failed; null: it did not fail.</returns>
    public async IAsyncEnumerable<(string What, string? Problem)> RunAsync(
        [EnumeratorCancellation] CancellationToken cancellation)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        deadline.CancelAfter(LongestCheck);
        var certificates = new Certificates(() => options.CurrentValue.TlsFiles(), logger);
        using var links = new RedisLinks(() => connections.CurrentValue.Redis, () => options.CurrentValue,
            options.CurrentValue.Prefix, certificates);
        var (connection, problem) = await ConnectAsync(links, certificates, deadline.Token);
        yield return ("Redis: connection", problem);
        if (connection is null) yield break;
        await using (connection)
        {
            if (!connection.GetServers().Any(server => server is { IsConnected: true, IsReplica: false }))
            {
                yield return ("Redis: master", "the server is a replica; name the master, or Sentinel and serviceName");
                yield break;
            }
            yield return ("Redis: master", null);
            var (refusal, missing) = await TryCommandsAsync(connection, deadline.Token);
            yield return ("Redis: writes", refusal);
            yield return ("Redis: rights", missing.Count == 0 ? null
                : $"the user may not use {string.Join(", ", missing)}; docs/redis.md lists the rights");
        }
    }

    private static async Task<(ConnectionMultiplexer? Connection, string? Problem)> ConnectAsync(
        RedisLinks links, Certificates certificates, CancellationToken deadline)
    {
        try
        {
            var settings = await links.OptionsAsync().WaitAsync(deadline);
            settings.AbortOnConnectFail = true;
            var connection = await ConnectionMultiplexer.ConnectAsync(settings).WaitAsync(deadline);
            if (settings.Password is not { Length: > 0 } password) return (connection, null);
            // The client goes on as the default user if Redis refuses the password.
            await connection.GetDatabase()
                .ExecuteAsync("AUTH", settings.User is { } user ? [user, password] : [password]).WaitAsync(deadline);
            return (connection, null);
        }
        catch (RedisServerException e) when (e.Message.StartsWith("WRONGPASS", StringComparison.Ordinal))
        {
            return (null, "the user or the password is wrong");
        }
        catch (OperationCanceledException)
        {
            return (null, "does not answer within 10 seconds");
        }
        catch (Exception e) when (RedisConnection.IsFailure(e))
        {
            return (null, certificates.Explain(e) ?? e.Message);
        }
    }

    private async Task<(string? Refusal, List<string> Missing)> TryCommandsAsync(
        ConnectionMultiplexer connection, CancellationToken deadline)
    {
        var prefix = options.CurrentValue.Prefix;
        // The keys of a cluster's node are chosen by the part in braces.
        var key = $"{prefix}{{check-{Guid.NewGuid():N}}}";
        string? refusal = null;
        var missing = new List<string>();
        foreach (var command in Commands)
        {
            var parts = command.Split(' ');
            await TryAsync(parts[0] == "SCRIPT" ? "SCRIPT LOAD" : parts[0], () => connection.GetDatabase().ExecuteAsync(
                parts[0], [.. parts[1..].Select(part => part is Text or Hash or Sorted or List
                    ? (RedisKey)$"{key}{part}" : parts[0] is "EVAL" && part == "return" ? (object)"return 1" : part)]));
        }
        var channel = RedisChannel.Literal("check");
        var subscriber = connection.GetSubscriber();
        await TryAsync($"PUBLISH to {prefix}*", () => subscriber.PublishAsync(channel, "check"));
        await TryAsync($"SUBSCRIBE to {prefix}*", () => subscriber.SubscribeAsync(channel));
        return (refusal, missing);

        async Task TryAsync(string name, Func<Task> use)
        {
            try
            {
                await use().WaitAsync(deadline);
            }
            catch (RedisServerException e) when (e.Message.StartsWith("NOPERM", StringComparison.Ordinal))
            {
                if (!missing.Contains(name)) missing.Add(name);
            }
            catch (RedisServerException e) when (!e.Message.StartsWith("NOSCRIPT", StringComparison.Ordinal))
            {
                refusal ??= $"{name} is refused: {e.Message}";
            }
            catch (Exception e) when (RedisConnection.IsFailure(e))
            {
                refusal ??= $"{name} fails: {e.Message}";
            }
        }
    }
}

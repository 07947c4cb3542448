using System.Net;
using StackExchange.Redis;

namespace Gateway.Redis;

/// <summary>
/// Asks Redis Sentinel for the address of the master. The client's own support for Sentinel blocks threads of the pool
/// during a failover, so the gateway asks itself, and connects to the master like to any other server.
/// </summary>
internal static class RedisSentinels
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(2);

    /// <summary>Returns the options to connect to the master.</summary>
    /// <param name="options">Options that may name sentinels and a service.</param>
    /// <exception cref="RedisException">No sentinel knows the master.</exception>
    public static async Task<ConfigurationOptions> ResolveAsync(ConfigurationOptions options)
    {
        if (string.IsNullOrEmpty(options.ServiceName)) return options;
        var asking = options.EndPoints.Select(sentinel => AskAsync(options, sentinel)).ToList();
        var reasons = new List<string>();
        await foreach (var asked in Task.WhenEach(asking))
        {
            if (asked.IsCompletedSuccessfully && await asked is { } master)
            {
                var resolved = options.Clone();
                resolved.ServiceName = null;
                resolved.EndPoints.Clear();
                resolved.EndPoints.Add(master);
                return resolved;
            }
            reasons.Add(asked.Exception?.InnerException?.Message ?? "it knows no such service");
        }
        throw new RedisException(
            $"No sentinel knows the master of '{options.ServiceName}': {string.Join("; ", reasons.Distinct())}");
    }

    private static async Task<EndPoint?> AskAsync(ConfigurationOptions options, EndPoint sentinel)
    {
        try
        {
            return await AskAsync(options, sentinel, withCredential: true);
        }
        catch (RedisConnectionException) when (options.Password is not null)
        {
            // A sentinel without a password refuses the one of Redis.
            return await AskAsync(options, sentinel, withCredential: false);
        }
    }

    private static async Task<EndPoint?> AskAsync(
        ConfigurationOptions options, EndPoint sentinel, bool withCredential)
    {
        var one = options.Clone();
        one.ServiceName = null;
        one.EndPoints.Clear();
        one.EndPoints.Add(sentinel);
        one.CommandMap = CommandMap.Sentinel;
        one.TieBreaker = "";
        one.AbortOnConnectFail = true;
        one.DefaultDatabase = null;
        if (!withCredential) one.User = one.Password = null;
        await using var connection = await ConnectionMultiplexer.ConnectAsync(one);
        return await connection.GetServer(sentinel).SentinelGetMasterAddressByNameAsync(options.ServiceName!)
            .WaitAsync(Timeout);
    }
}

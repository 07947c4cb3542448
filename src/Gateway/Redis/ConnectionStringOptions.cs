using Gateway.Configuration;

namespace Gateway.Redis;

/// <summary>The section <c>ConnectionStrings</c>.</summary>
internal sealed class ConnectionStringOptions
{
    /// <summary>
    /// A StackExchange.Redis connection string, or a URL (<see cref="RedisAddress"/>). Default empty: the node works
    /// alone, with its memory only.
    /// </summary>
    public string Redis { get; set; } = "";

    /// <summary>Whether connections to Redis and its sentinels use TLS. The address must be right.</summary>
    public bool UsesTls => Redis.Length > 0 && RedisAddress.Parse(Redis).Ssl;

    public void Check(ConfigurationErrors errors)
    {
        if (string.IsNullOrEmpty(Redis)) return;
        try
        {
            var hasServer = RedisAddress.Parse(Redis).EndPoints.Count > 0;
            errors.Unless(hasServer, "ConnectionStrings:Redis", "names no server");
        }
        catch (ArgumentException e)
        {
            // The message names the wrong option, but not its value, which may be a password.
            errors.Add("ConnectionStrings:Redis", $"is not an address of Redis: {e.Message}");
        }
    }
}

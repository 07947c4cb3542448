using Gateway.Configuration;

namespace Gateway.Redis;

/// <summary>Where Redis is.</summary>
internal sealed class ConnectionStringOptions
{
    /// <summary>A StackExchange.Redis connection string. Empty, the default: memory only, one node.</summary>
    public string Redis { get; set; } = "";

    public void Check(ConfigurationErrors errors)
    {
        if (string.IsNullOrEmpty(Redis)) return;
        try
        {
            errors.Unless(RedisConnection.Parse(Redis).EndPoints.Count > 0, "ConnectionStrings:Redis", "names no server");
        }
        catch (ArgumentException e)
        {
            // The message names the option that is wrong, not its value, which may be a password.
            errors.Add("ConnectionStrings:Redis", $"is not a StackExchange.Redis connection string: {e.Message}");
        }
    }
}

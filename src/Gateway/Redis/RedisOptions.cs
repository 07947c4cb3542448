using Gateway.Configuration;

namespace Gateway.Redis;

/// <summary>The timing of Redis.</summary>
internal sealed class RedisOptions
{
    /// <summary>The longest time that one request waits for Redis. Default 100 ms; 10 ms to 5 s.</summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromMilliseconds(100);

    public void Check(ConfigurationErrors errors) =>
        errors.Range("Redis:Timeout", Timeout, TimeSpan.FromMilliseconds(10), TimeSpan.FromSeconds(5));
}

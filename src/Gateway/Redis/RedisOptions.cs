using Gateway.Configuration;

namespace Gateway.Redis;

/// <summary>How this node treats the Redis that <c>ConnectionStrings:Redis</c> names.</summary>
internal sealed class RedisOptions
{
    /// <summary>What Redis may add to one request. Default 100 ms; 10 ms to 5 s.</summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromMilliseconds(100);

    public void Check(ConfigurationErrors errors) =>
        errors.Range("Redis:Timeout", Timeout, TimeSpan.FromMilliseconds(10), TimeSpan.FromSeconds(5));
}

using Gateway.SideBySide.Measuring;
using Gateway.SideBySide.Servers;

namespace Gateway.SideBySide.Peers;

/// <summary>YARP as a forwarder, or behind ASP.NET Core's output cache in memory or in Redis.</summary>
internal sealed class YarpPeer(Bench bench, YarpPeer.Cache cache) : Peer(bench, NameOf(cache))
{
    private Child? _redis;

    public enum Cache
    {
        None,
        Memory,
        Redis,
    }

    public override Child? Redis => _redis;

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        if (_redis is not null) await _redis.DisposeAsync();
    }

    protected override async Task<Child> LaunchAsync()
    {
        var where = cache switch { Cache.None => "none", Cache.Memory => "memory", _ => "" };
        if (cache == Cache.Redis)
        {
            (_redis, where) = await Bench.StartRedisAsync();
            RedisAddress = where;
        }
        return SideBySide.Bench.StartSelf(Bench.Machine.ServerCore,
            [Serving.Yarp, $"{Port}", Bench.Upstream.ToString(), Bench.Credential, where,
                .. Bench.Keys.Select(key => $"{key.Key}:{key.Team}")]);
    }

    private static string NameOf(Cache cache) => cache switch
    {
        Cache.None => "yarp",
        Cache.Memory => "yarp-output-cache",
        _ => "yarp-output-cache-redis",
    };
}

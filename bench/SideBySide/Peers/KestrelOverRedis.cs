using Gateway.SideBySide.Measuring;
using Gateway.SideBySide.Servers;

namespace Gateway.SideBySide.Peers;

/// <summary>The lower bound for answers out of Redis: one command, whose reply is sent unchanged.</summary>
internal sealed class KestrelOverRedis(Bench bench) : Peer(bench, "kestrel-redis")
{
    private Child? _redis;

    public override bool ChecksKeys => false;

    public override bool AsksUpstream => false;

    public override Child? Redis => _redis;

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        if (_redis is not null) await _redis.DisposeAsync();
    }

    protected override async Task<Child> LaunchAsync()
    {
        (_redis, RedisAddress) = await Bench.StartRedisAsync();
        return SideBySide.Bench.StartSelf(Bench.Machine.ServerCore, [Serving.FloorOfRedis, $"{Port}", RedisAddress]);
    }
}

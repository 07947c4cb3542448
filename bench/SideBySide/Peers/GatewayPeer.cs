using System.Security.Cryptography;
using System.Text;
using Gateway.SideBySide.Measuring;

namespace Gateway.SideBySide.Peers;

/// <summary>The published gateway with its features enabled: quotas, metrics, and permissions by workflow.</summary>
internal sealed class GatewayPeer(Bench bench, string name, string published) : Peer(bench, name)
{
    private Child? _ownRedis;

    /// <summary>The memory limit in bytes, which exceeds the data of every run.</summary>
    public long MemoryBytes { get; set; } = 4L << 30;

    /// <summary>The command that starts it, or the executable itself if .NET is included.</summary>
    public string[] Command => CommandOf(published, "Gateway");

    /// <summary>The address of its Prometheus metrics.</summary>
    public Uri Metrics => new($"http://127.0.0.1:{ManagementPort}/metrics");

    public override Uri? Http2Address => new($"http://127.0.0.1:{Http2Port}/");

    public override Child? Redis => _ownRedis;

    private int ManagementPort { get; } = Child.FreePort();

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        if (_ownRedis is not null) await _ownRedis.DisposeAsync();
    }

    /// <summary>Its environment variables.</summary>
    public Dictionary<string, string> Environment()
    {
        var environment = new Dictionary<string, string>
        {
            ["Kestrel__Endpoints__Http__Url"] = $"http://127.0.0.1:{Port}",
            ["Kestrel__Endpoints__Http2__Url"] = $"http://127.0.0.1:{Http2Port}",
            ["Kestrel__Endpoints__Http2__Protocols"] = "Http2",
            ["Kestrel__Endpoints__Management__Url"] = $"http://127.0.0.1:{ManagementPort}",
            ["Management__Port"] = $"{ManagementPort}",
            ["ConnectionStrings__Redis"] = RedisAddress ?? "",
            ["Upstream__BaseAddress"] = Bench.Upstream.ToString(),
            ["Upstream__Accounts__default__Credential"] = Bench.Credential,
            ["Upstream__Accounts__default__RequestsPerSecond"] = "100000",
            ["Upstream__Accounts__default__Burst"] = "1000000",
            ["Upstream__Accounts__default__MaxConcurrentRequests"] = "10000",
            ["Quotas__ample__Requests"] = $"{NeverRefusedPerSecond}",
            ["Quotas__ample__Window"] = "00:00:01",
            ["Quotas__ample__Burst"] = $"{NeverRefusedPerSecond}",
            // Redis shares its cores with the load, so its timeout is longer than usual.
            ["Redis__Timeout"] = "00:00:02",
            ["Jobs__MemoryBytes"] = $"{MemoryBytes}",
            ["Logging__LogLevel__Default"] = "Warning",
            ["Logging__LogLevel__Gateway"] = "Warning",
        };
        foreach (var team in Bench.Keys.GroupBy(key => key.Team, key => key.Key))
        {
            environment[$"Teams__{team.Key}__Quota"] = "ample";
            environment[$"Teams__{team.Key}__Workflows__0"] = "*";
            foreach (var (i, key) in team.Index())
            {
                environment[$"Teams__{team.Key}__ApiKeys__{i}__Id"] = $"{team.Key}-{i}";
                environment[$"Teams__{team.Key}__ApiKeys__{i}__Sha256"] = Convert.ToHexStringLower(
                    SHA256.HashData(Encoding.UTF8.GetBytes(key)));
            }
        }
        return environment;
    }

    protected override async Task<Child> LaunchAsync()
    {
        if (RedisAddress is null) (_ownRedis, RedisAddress) = await Bench.StartRedisAsync();
        return Launch(Command[0], Command[1..], Environment());
    }

    /// <summary>The command that starts a published program.</summary>
    public static string[] CommandOf(string folder, string name) =>
        File.Exists(Path.Combine(folder, "libcoreclr.so")) ? [Path.Combine(folder, name)]
            : ["dotnet", Path.Combine(folder, $"{name}.dll")];
}

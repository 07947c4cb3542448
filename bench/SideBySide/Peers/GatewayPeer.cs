using System.Security.Cryptography;
using System.Text;
using Gateway.SideBySide.Measuring;

namespace Gateway.SideBySide.Peers;

/// <summary>
/// The gateway as it is published, with all that it has switched on: quotas, metrics, permission by workflow.
/// </summary>
internal sealed class GatewayPeer(Bench bench, string name, string published) : Peer(bench, name)
{
    private Child? _ownRedis;

    /// <summary>What it may keep in memory, in bytes: more than any run brings.</summary>
    public long MemoryBytes { get; set; } = 4L << 30;

    /// <summary>How it is started: by itself, where .NET is in the output.</summary>
    public string[] Command => CommandOf(published, "Gateway");

    /// <summary>Where Prometheus would look.</summary>
    public Uri Metrics => new($"http://127.0.0.1:{ManagementPort}/metrics");

    public override Uri? Http2Address => new($"http://127.0.0.1:{Http2Port}/");

    public override Child? Redis => _ownRedis;

    private int ManagementPort { get; } = Child.FreePort();

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        if (_ownRedis is not null) await _ownRedis.DisposeAsync();
    }

    /// <summary>What it is started with.</summary>
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
            // Redis shares its cores with the load, and its time is not what a request may not take here.
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
                environment[$"Teams__{team.Key}__ApiKeys__{i}__Sha256"] = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)));
            }
        }
        return environment;
    }

    protected override async Task<Child> LaunchAsync()
    {
        if (RedisAddress is null) (_ownRedis, RedisAddress) = await Bench.StartRedisAsync();
        return Launch(Command[0], Command[1..], Environment());
    }

    /// <summary>How a published program is started.</summary>
    public static string[] CommandOf(string folder, string name) =>
        File.Exists(Path.Combine(folder, "libcoreclr.so")) ? [Path.Combine(folder, name)] : ["dotnet", Path.Combine(folder, $"{name}.dll")];
}

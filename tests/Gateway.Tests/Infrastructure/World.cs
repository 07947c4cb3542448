using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Time.Testing;
using Simulator;

namespace Gateway.Tests.Infrastructure;

/// <summary>
/// A simulated upstream and gateways in front of it, on real sockets. Disposing of it checks that the upstream
/// received no unexpected request, and that no log line contains the upstream credential.
/// </summary>
internal sealed class World : IAsyncDisposable
{
    public const string MappingKey = "mapping-key-0123456789";
    public const string SurveyKey = "survey-key-0123456789";

    private readonly List<GatewayNode> _nodes = [];
    private readonly Dictionary<string, string?> _settings;

    private World(SimulatedUpstream upstream, FakeTimeProvider? clock, Dictionary<string, string?> settings) =>
        (Upstream, Clock, _settings) = (upstream, clock, settings);

    public SimulatedUpstream Upstream { get; }

    /// <summary>The clock of gateways and upstream, or null for the system clock.</summary>
    public FakeTimeProvider? Clock { get; }

    public GatewayNode Gateway => _nodes[0];

    /// <summary>
    /// Starts an upstream and one gateway with two teams: mapping reads every workflow, survey reads survey-*.
    /// </summary>
    /// <param name="settings">Additional settings, which override the defaults.</param>
    public static async Task<World> StartAsync(params (string Key, string? Value)[] settings)
    {
        var world = await WithoutGatewayAsync(clock: null, settings);
        world.AddGateway();
        return world;
    }

    /// <summary>Starts a world with a clock that the test moves.</summary>
    public static async Task<World> StopClockAsync(params (string Key, string? Value)[] settings)
    {
        var world = await WithoutGatewayAsync(new TestClock(DateTimeOffset.UtcNow), settings);
        world.AddGateway();
        return world;
    }

    public static async Task<World> WithoutGatewayAsync(
        FakeTimeProvider? clock, params (string Key, string? Value)[] settings)
    {
        var upstream = await SimulatedUpstream.StartAsync(credentials: [Canary.Credential], clock: clock);
        var all = Defaults(upstream.Address);
        foreach (var (key, value) in settings) all[key] = value;
        if (all.GetValueOrDefault("ConnectionStrings:Redis") is { Length: > 0 }) UseSeparateAccount(all);
        return new World(upstream, clock, all);
    }

    // Tests that share a Redis use separate accounts, so that account state does not leak between them.
    private static void UseSeparateAccount(Dictionary<string, string?> settings)
    {
        const string Default = "Upstream:Accounts:default:";
        var name = Purging.NewAccount();
        foreach (var (key, value) in settings.Where(
            setting => setting.Key.StartsWith(Default, StringComparison.Ordinal)).ToArray())
        {
            settings[$"Upstream:Accounts:{name}:{key[Default.Length..]}"] = value;
        }
        settings.TryAdd("Teams:mapping:Account", name);
        settings.TryAdd("Teams:survey:Account", name);
    }

    public static string Sha256(string key) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)));

    public GatewayNode AddGateway(params (string Key, string? Value)[] settings) => AddGateway(Clock, settings);

    /// <summary>Adds a gateway with its own clock.</summary>
    public GatewayNode AddGateway(TimeProvider? clock, params (string Key, string? Value)[] settings)
    {
        var all = new Dictionary<string, string?>(_settings);
        foreach (var (key, value) in settings) all[key] = value;
        var node = new GatewayNode(all, clock);
        lock (_nodes) _nodes.Add(node);
        return node;
    }

    public IReadOnlyDictionary<string, string?> Settings => _settings;

    /// <summary>Settings for a test with its own Redis, which relies on key names with the default account.</summary>
    public static (string Key, string? Value)[] DefaultAccount =>
        [("Teams:mapping:Account", "default"), ("Teams:survey:Account", "default")];

    /// <summary>The account of team mapping.</summary>
    public string Account => _settings.GetValueOrDefault("Teams:mapping:Account") ?? "default";

    /// <summary>The settings as environment variables for a gateway process.</summary>
    public Dictionary<string, string?> Environment() =>
        _settings.ToDictionary(setting => setting.Key.Replace(":", "__", StringComparison.Ordinal),
            setting => setting.Value);

    /// <summary>Requests a job from the first gateway, by default as team mapping.</summary>
    public Task<HttpResponseMessage> GetAsync(string job, string workflow = "survey-1", string key = MappingKey,
        params (string Name, string Value)[] headers) =>
        GetAsync(Gateway, job, workflow, key, headers);

    public static async Task<HttpResponseMessage> GetAsync(GatewayNode node, string job, string workflow = "survey-1",
        string key = MappingKey, params (string Name, string Value)[] headers)
    {
        using var client = node.Client([("X-Api-Key", key), .. headers]);
        return await client.GetAsync(new Uri($"v0/workflows/{workflow}/jobs/{job}", UriKind.Relative), Cancellation);
    }

    /// <summary>The exact bytes that the upstream sends for a job.</summary>
    public async Task<byte[]> UpstreamBytesAsync(string job, string workflow = "survey-1")
    {
        using var client = new HttpClient { BaseAddress = Upstream.Address };
        client.DefaultRequestHeaders.TryAddWithoutValidation("Authorization", Canary.Credential);
        return await client.GetByteArrayAsync(
            new Uri($"v0/workflows/{workflow}/jobs/{job}", UriKind.Relative), Cancellation);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var node in _nodes) await node.DisposeAsync();
        await Upstream.DisposeAsync();
        Assert.Empty(Upstream.Ledger.Unexpected);
        foreach (var line in _nodes.SelectMany(node => node.Log.All)) Canary.AssertAbsent("a log line", line);
    }

    public static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private static Dictionary<string, string?> Defaults(Uri upstream) => new()
    {
        ["Upstream:BaseAddress"] = upstream.ToString(),
        ["Upstream:Accounts:default:Credential"] = Canary.Credential,
        ["Upstream:Accounts:default:RequestsPerSecond"] = "100000",
        ["Upstream:Accounts:default:Burst"] = "1000000",
        ["Upstream:Accounts:default:MaxConcurrentRequests"] = "10000",
        ["Teams:mapping:Workflows:0"] = "*",
        ["Teams:mapping:Quota"] = "plenty",
        ["Teams:mapping:ApiKeys:0:Id"] = "mapping-test",
        ["Teams:mapping:ApiKeys:0:Sha256"] = Sha256(MappingKey),
        ["Teams:survey:Workflows:0"] = "survey-*",
        ["Teams:survey:Quota"] = "plenty",
        ["Teams:survey:ApiKeys:0:Id"] = "survey-test",
        ["Teams:survey:ApiKeys:0:Sha256"] = Sha256(SurveyKey),
        ["Quotas:plenty:Requests"] = "1000000",
        ["Quotas:plenty:Burst"] = "1000000",
        // Generous, so that a busy machine does not make Redis look unavailable.
        ["Redis:Timeout"] = "00:00:05",
        // Everything is logged, because all lines are searched for the credential.
        ["Logging:LogLevel:Default"] = "Trace",
        ["Logging:LogLevel:Gateway"] = "Trace",
        ["Logging:LogLevel:Microsoft.AspNetCore"] = "Debug",
        ["Logging:LogLevel:Polly"] = "Trace",
    };
}

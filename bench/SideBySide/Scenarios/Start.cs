using System.Diagnostics;
using System.Text.Json;
using Gateway.SideBySide.Measuring;

namespace Gateway.SideBySide.Scenarios;

/// <summary>From the start of the process to the first answer, beside the least that ASP.NET Core starts with.</summary>
internal sealed class Start(Bench bench) : Scenario(bench)
{
    public const string Name = "start";

    private const int FewestStarts = 11;
    private const string Empty = "empty ASP.NET Core";

    // In hexadecimal: 100 ms, as where it is not set.
    private const string UsualDelay = "64";

    // An empty application is published as the gateway is.
    private static readonly string[] Properties =
    [
        "PublishReadyToRun", "TieredCompilation", "TieredPGO", "TieredCompilationQuickJit", "TieredCompilationQuickJitForLoops",
        "ServerGarbageCollection", "ConcurrentGarbageCollection", "InvariantGlobalization", "RuntimeIdentifier", "SelfContained",
    ];

    private static readonly Measure Time = new("ms to the first answer", "0");
    private static readonly Measure Cpu = new("ms of CPU until then", "0");

    private static readonly HttpClient Client = new();

    public override async Task<IReadOnlyList<Table>> RunAsync()
    {
        var gateways = Lineup.Of(Bench.Arguments, Lineup.Gateway).ToArray();
        if (gateways.Length == 0) return [];
        var (redis, address) = await Bench.StartRedisAsync();
        await using var _ = redis;
        var empty = await PublishEmptyAsync();
        string[] names = [Empty, .. gateways];
        var rows = names.Select(name => new Row(name)).ToArray();
        for (var round = 0; round < Math.Max(FewestStarts, Bench.Arguments.Rounds); round++)
        {
            using var turn = await Bench.Turn.TakeAsync(Bench.Stop);
            Bench.Tell($"{Name}: round {round + 1}");
            for (var i = 0; i < names.Length; i++)
            {
                var next = (i + round) % names.Length;
                rows[next].Samples.Add(await StartAsync(names[next], empty, address));
            }
        }
        return [new Table(Name, "Start", "From the start of the process to the first answer to `GET /health/live`, the gateway with Redis, beside an application of ASP.NET Core that has this one endpoint and is published likewise.", Time, Lineup.Gateway, rows) { IsTimed = false }];
    }

    private async Task<Sample> StartAsync(string name, string empty, string redis)
    {
        var port = Child.FreePort();
        var (began, environment) = (Stopwatch.GetTimestamp(), new Dictionary<string, string> { ["Logging__LogLevel__Default"] = "Warning", ["DOTNET_TC_CallCountingDelayMs"] = UsualDelay, ["ASPNETCORE_URLS"] = $"http://127.0.0.1:{port}" });
        var program = Path.Combine(empty, "EmptyApp.dll");
        if (name != Empty)
        {
            var gateway = Lineup.CreateGateway(Bench, name);
            gateway.RedisAddress = redis;
            (environment, program, port) = (gateway.Environment(), gateway.Program, gateway.Address.Port);
        }
        await using var process = Child.Start(Bench.Machine.ServerCore, "dotnet", [program], environment);
        await process.ListeningAsync(port, Bench.Stop, every: TimeSpan.FromMilliseconds(1));
        var answer = await Client.GetAsync(new Uri($"http://127.0.0.1:{port}/health/live"), Bench.Stop);
        var time = Stopwatch.GetElapsedTime(began);
        if (!answer.IsSuccessStatusCode) throw new WrongAnswerException($"{name} says {(int)answer.StatusCode} at its start.");
        return new Sample { [Time] = time.TotalMilliseconds, [Cpu] = Usage.CpuOf(process).TotalMilliseconds };
    }

    private async Task<string> PublishEmptyAsync()
    {
        var values = await Child.RunAsync(Bench.Machine.AllCores, "dotnet",
            ["msbuild", "src/Gateway", "-property:Configuration=Release", .. Properties.Select(property => $"-getProperty:{property}")], Bench.Stop);
        var published = Bench.NewFolder("empty");
        var properties = JsonDocument.Parse(values).RootElement.GetProperty("Properties").EnumerateObject()
            .Where(property => property.Value.GetString() is { Length: > 0 }).Select(property => $"-property:{property.Name}={property.Value.GetString()}");
        await Child.RunAsync(Bench.Machine.AllCores, "dotnet",
            ["publish", "bench/EmptyApp", "--configuration", "Release", "--output", published, "--artifacts-path", Bench.NewFolder("built"), "--nologo", "--verbosity", "quiet", .. properties], Bench.Stop);
        return published;
    }
}

using System.Diagnostics;
using Gateway.SideBySide.Measuring;
using Gateway.SideBySide.Peers;

namespace Gateway.SideBySide.Scenarios;

/// <summary>
/// From the start of the process to the first answer, compared with a minimal ASP.NET Core application. Both are
/// published like the container image.
/// </summary>
internal sealed class Start(Bench bench) : Scenario(bench)
{
    public const string Name = "start";

    private const int FewestStarts = 11;
    private const string Empty = "empty ASP.NET Core", WithoutRedis = ", without Redis";

    // Hexadecimal for 100 ms, the default.
    private const string UsualDelay = "64";

    private static readonly Measure Time = new("ms to the first answer", "0");
    private static readonly Measure Cpu = new("ms of CPU until then", "0");

    private static readonly HttpClient Client = new();

    public override async Task<IReadOnlyList<Table>> RunAsync()
    {
        var gateways = Lineup.Of(Bench.Arguments, Lineup.Gateway).ToArray();
        if (gateways.Length == 0) return [];
        var (redis, address) = await Bench.StartRedisAsync();
        await using var _ = redis;
        var (empty, image) = (await PublishAsync("bench/EmptyApp"), await PublishAsync("src/Gateway"));
        string[] names = [Empty, .. gateways.Select(name => name + WithoutRedis), .. gateways];
        var rows = names.Select(name => new Row(name)).ToArray();
        for (var round = 0; round < Math.Max(FewestStarts, Bench.Arguments.Rounds); round++)
        {
            using var runLock = await Bench.Turn.TakeAsync(Bench.Stop);
            Bench.Tell($"{Name}: round {round + 1}");
            for (var i = 0; i < names.Length; i++)
            {
                var next = (i + round) % names.Length;
                rows[next].Samples.Add(
                    await (names[next] == Empty ? StartEmptyAsync(empty)
                        : StartGatewayAsync(names[next], image, address)));
            }
        }
        return [new Table(Name, "Start",
            "From the start of the process to the first answer to `GET /health/live`, beside an ASP.NET Core "
            + "application that has only this endpoint. Both are published in the same way as the container image, "
            + "with .NET included and compiled beforehand.", Time, Empty, rows) { IsTimed = false }];
    }

    private Task<Sample> StartEmptyAsync(string folder)
    {
        var port = Child.FreePort();
        return StartAsync(Empty, port, GatewayPeer.CommandOf(folder, "EmptyApp"), new()
        {
            ["ASPNETCORE_URLS"] = $"http://127.0.0.1:{port}",
            ["Logging__LogLevel__Default"] = "Warning",
        });
    }

    private Task<Sample> StartGatewayAsync(string row, string image, string redis)
    {
        var name = row.Replace(WithoutRedis, "", StringComparison.Ordinal);
        var gateway = name == Lineup.Gateway ? new GatewayPeer(Bench, name, image) : Lineup.CreateGateway(Bench, name);
        gateway.RedisAddress = row == name ? redis : "";
        return StartAsync(name, gateway.Address.Port, gateway.Command, gateway.Environment());
    }

    private async Task<Sample> StartAsync(
        string name, int port, string[] command, Dictionary<string, string> environment)
    {
        environment["DOTNET_TC_CallCountingDelayMs"] = UsualDelay;
        var began = Stopwatch.GetTimestamp();
        await using var process = Child.Start(Bench.Machine.ServerCore, command[0], command[1..], environment);
        await process.ListeningAsync(port, Bench.Stop, every: TimeSpan.FromMilliseconds(1));
        var answer = await Client.GetAsync(new Uri($"http://127.0.0.1:{port}/health/live"), Bench.Stop);
        var time = Stopwatch.GetElapsedTime(began);
        if (!answer.IsSuccessStatusCode)
            throw new WrongAnswerException($"{name} answered {(int)answer.StatusCode} at its start.");
        return new Sample { [Time] = time.TotalMilliseconds, [Cpu] = Usage.CpuOf(process).TotalMilliseconds };
    }

    // As in the Dockerfile.
    private async Task<string> PublishAsync(string project)
    {
        var published = Bench.NewFolder(Path.GetFileName(project));
        Bench.Tell($"{Name}: {project} is compiled with the framework");
        await Child.RunAsync(Bench.Machine.AllCores, "dotnet",
            ["publish", project, "--configuration", "Release", "--use-current-runtime", "--output", published,
                "--artifacts-path", Bench.NewFolder($"{Path.GetFileName(project)}-built"),
            "--nologo", "--verbosity", "quiet", "-property:SelfContained=true"], Bench.Stop);
        return published;
    }
}

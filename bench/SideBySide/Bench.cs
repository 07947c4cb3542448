using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using Gateway.SideBySide.Load;
using Gateway.SideBySide.Measuring;
using Gateway.SideBySide.Servers;

namespace Gateway.SideBySide;

/// <summary>
/// Shared by all scenarios: the upstream, the teams' keys, the load generators, and a folder for files.
/// </summary>
internal sealed class Bench : IAsyncDisposable
{
    public const string Credential = "ApiKey side-by-side-upstream-secret";

    private readonly HttpClient _client = new();
    private readonly List<IAsyncDisposable> _started = [];
    private Uri _upstream = new("http://localhost");

    private Bench(Arguments arguments, CancellationToken stop)
    {
        (Arguments, Stop) = (arguments, stop);
        Temporary = Directory.CreateTempSubdirectory("side-by-side-").FullName;
        Child.List = Path.Combine(Temporary, "processes");
        (Wrk, H2load, Turn) = (new Wrk(Machine, Temporary), new H2load(Machine, Temporary), new Turn(arguments.Lock));
    }

    public Arguments Arguments { get; }

    public CancellationToken Stop { get; }

    public string Temporary { get; }

    public Machine Machine { get; } = new();

    public Wrk Wrk { get; }

    public H2load H2load { get; }

    public Turn Turn { get; }

    public Uri Upstream => _upstream;

    /// <summary>Several teams with several keys each.</summary>
    public IReadOnlyList<(string Team, string Key)> Keys { get; } =
        [.. new[] { "mapping", "research", "web" }.SelectMany(
            team => Enumerable.Range(0, 3).Select(_ => (team, NewKey())))];

    public static async Task<Bench> StartAsync(Arguments arguments, CancellationToken stop)
    {
        var bench = new Bench(arguments, stop);
        var port = Child.FreePort();
        var upstream = StartSelf(bench.Machine.OtherCores, [Serving.Upstream, $"{port}", Credential]);
        bench._started.Add(upstream);
        await upstream.ListeningAsync(port, stop);
        bench._upstream = new Uri($"http://127.0.0.1:{port}/");
        return bench;
    }

    /// <summary>Starts this program as a server.</summary>
    public static Child StartSelf(string cores, string[] arguments) =>
        Child.Start(cores, "dotnet", [typeof(Bench).Assembly.Location, Serving.Verb, .. arguments]);

    /// <summary>Starts a Redis without persistence for one peer, on the cores of the load.</summary>
    public async Task<(Child Process, string Address)> StartRedisAsync()
    {
        var port = Child.FreePort();
        var redis = Child.Start(Machine.OtherCores, "redis-server",
            ["--port", $"{port}", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        return (await redis.ListeningAsync(port, Stop), $"127.0.0.1:{port}");
    }

    /// <summary>Creates an empty folder.</summary>
    public string NewFolder(string name) =>
        Directory.CreateDirectory(Path.Combine(Temporary, $"{name}-{Guid.NewGuid():N}")).FullName;

    /// <summary>The number of upstream calls so far.</summary>
    public async Task<long> UpstreamCallsAsync() =>
        long.Parse(await _client.GetStringAsync(new Uri(_upstream, Servers.Upstream.Calls), Stop),
            CultureInfo.InvariantCulture);

    /// <summary>Prints the progress.</summary>
    public static void Tell(string what) => Console.Error.WriteLine($"{DateTime.Now:HH:mm:ss} {what}");

    public async ValueTask DisposeAsync()
    {
        foreach (var started in Enumerable.Reverse(_started)) await started.DisposeAsync();
        _client.Dispose();
        Directory.Delete(Temporary, recursive: true);
    }

    // In the format of `keys new`: 256 random bits and the beginning of their hash.
    private static string NewKey()
    {
        var random = RandomNumberGenerator.GetBytes(32);
        return "gwk_" + Base64Url.EncodeToString([.. random, .. SHA256.HashData(random)[..4]]);
    }
}

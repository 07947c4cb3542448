using Gateway.SideBySide.Load;
using Gateway.SideBySide.Measuring;
using Gateway.SideBySide.Peers;

namespace Gateway.SideBySide.Scenarios;

/// <summary>
/// The effect of a hog on other callers: how long they wait for a cached job or a health check, on existing and on new
/// connections.
/// </summary>
internal sealed class Hogs(Bench bench) : Scenario(bench)
{
    public const string Name = "hogs", Nobody = "nobody";

    private const int Hoggers = 4, NewEvery = 4;

    // Far below a server's capacity, and enough requests for a reliable p99.
    private const double PerSecond = 400;

    private const double MostOfKestrel = 2;

    // Small, so that new jobs find the memory full.
    private const long MemoryBytes = 64L << 20;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5), Begins = TimeSpan.FromSeconds(30);

    private static readonly (string Kind, string Title, string Text)[] Kinds =
    [
        (Nobody, "No hog", "The callers alone."),
        (Load.Hog.Nothing, "Pipelining", "`GET /nothing`, pipelined without end."),
        (Load.Hog.NotModified, "Pipelined 304s", "A cached job with `If-None-Match`, pipelined without end."),
        (Load.Hog.Misses, "Pipelined misses", "New jobs, pipelined without end, while the gateway's memory is full."),
        (Load.Hog.WrongKeys, "401s", "A wrong key, pipelined without end."),
        (Load.Hog.Large, "Large bodies", "A cached job of 2 MiB, pipelined without end and read as fast as it comes."),
        (Load.Hog.SlowLarge, "Large bodies, read slowly", "The same, read at 32 MiB a second at most."),
        (Load.Hog.EmptyLines, "Empty lines", "Empty lines before a request that never comes."),
        (Load.Hog.Streams, "HTTP/2 streams",
            "A cached job on as many streams of HTTP/2 as the server lets a client open."),
        (Load.Hog.Resets, "HTTP/2 resets", "Streams of HTTP/2 that are reset as soon as they are opened, without end."),
        (Load.Hog.Pings, "HTTP/2 pings", "PING frames, without end."),
    ];

    public static IEnumerable<string> KindNames => Kinds.Select(kind => kind.Kind);

    public override async Task<IReadOnlyList<Table>> RunAsync()
    {
        Peer[] peers = [.. Lineup.Of(Bench.Arguments, PlainKestrel.PeerName, Lineup.Gateway)
            .Select(name => Lineup.Create(Bench, name))];
        foreach (var gateway in peers.OfType<GatewayPeer>())
            (gateway.RedisAddress, gateway.MemoryBytes) = ("", MemoryBytes);
        return await WithAsync<IReadOnlyList<Table>>(peers, async () =>
        {
            var (validators, tables) = (new Dictionary<Peer, string>(), new List<Table>());
            foreach (var peer in peers) validators[peer] = await PrepareAsync(peer);
            foreach (var (kind, title, text) in Kinds.Where(
                kind => Bench.Arguments.Hogs is [] || Bench.Arguments.Hogs.Contains(kind.Kind)))
            {
                // The first runs include the compilation of code.
                foreach (var peer in peers) await RunAsync(peer, kind, validators[peer], seconds: 1);
                var rows = peers.Select(peer => new Row(peer.Name)).ToArray();
                for (var round = 0; round < Bench.Arguments.Rounds; round++)
                {
                    using var runLock = await Bench.Turn.TakeAsync(Bench.Stop);
                    Bench.Tell($"{Name}, {kind}: round {round + 1} of {Bench.Arguments.Rounds}");
                    for (var i = 0; i < peers.Length; i++)
                    {
                        var next = (i + round) % peers.Length;
                        rows[next].Samples.Add(
                            await RunAsync(peers[next], kind, validators[peers[next]], Bench.Arguments.Seconds));
                    }
                }
                tables.Add(
                    new Table($"{Name}-{kind}", $"Beside a hog: {title}", text, Measure.P99, ReferenceOf(peers),
                        rows)
                    { MostOfReference = MostOfKestrel });
            }
            return tables;
        });
    }

    private static string? ReferenceOf(Peer[] peers) => peers.OfType<PlainKestrel>().FirstOrDefault()?.Name;

    private static string PathOf(int number) => number % 4 == 0 ? "/health/live" : HitPath;

    /// <returns>The entity tag of the job that is requested repeatedly.</returns>
    private async Task<string> PrepareAsync(Peer peer)
    {
        using var large = new Probe(
            peer, Jobs.PathOf(Jobs.LargeWorkflow, Jobs.Hit), body => body.Length > Jobs.LargeBytes, []);
        await large.LookAsync(Bench.Stop);
        using var probe = Probe.OfJob(peer, Jobs.Workflow, Jobs.Hit);
        await probe.LookAtRefusalAsync(Bench.Stop);
        var etag = await probe.LookAsync(Bench.Stop);
        for (var i = 0; i < 5; i++)
            await Paced.RunAsync(peer, PathOf, 4 * PerSecond, seconds: 1, Bench.Stop, NewEvery, Patience);
        return etag;
    }

    private async Task<Sample> RunAsync(Peer peer, string kind, string etag, int seconds)
    {
        await using var hog = kind == Nobody ? null : await StartAsync(peer, kind, etag, seconds);
        var found = await Paced.RunAsync(peer, PathOf, PerSecond, seconds, Bench.Stop, NewEvery, Patience);
        if (found.Failed > 0)
            throw new WrongAnswerException(
                $"{peer.Name} failed {found.Failed} of {found.Requests} requests beside '{kind}'. "
                + $"{peer.Process.Output}");
        return new Sample { [Measure.P50] = found.P50, [Measure.P99] = found.P99 };
    }

    // The hog has a lower priority than the measured callers on their common core.
    private async Task<Child> StartAsync(Peer peer, string kind, string etag, int seconds)
    {
        if (kind == Load.Hog.Streams)
        {
            return Child.Start(Bench.Machine.OtherCores, "nice",
            [
                "-n", "10", "h2load", "--threads", "1", "--clients", $"{Hoggers}", "--max-concurrent-streams", "100",
                "--duration", $"{seconds + 10}",
                "--header", $"X-Api-Key: {peer.Key}", new Uri(peer.Http2Address!, HitPath).ToString(),
            ]);
        }
        var port = kind is Load.Hog.Resets or Load.Hog.Pings ? peer.Http2Address!.Port : peer.Address.Port;
        var child = Child.Start(Bench.Machine.OtherCores, "nice",
            ["-n", "10", "dotnet", typeof(Hogs).Assembly.Location, Load.Hog.Verb, kind, $"{port}", peer.Key,
                $"{Hoggers}", etag]);
        var waiting = System.Diagnostics.Stopwatch.StartNew();
        while (!child.Output.Contains(Load.Hog.Begun, StringComparison.Ordinal))
        {
            if (child.HasExited || waiting.Elapsed > Begins)
                throw new InvalidOperationException($"The hog does not begin: {child.Output}");
            await Task.Delay(10, Bench.Stop);
        }
        return child;
    }
}

using Gateway.SideBySide.Load;
using Gateway.SideBySide.Measuring;
using Gateway.SideBySide.Peers;

namespace Gateway.SideBySide.Scenarios;

/// <summary>
/// Requests each job once, uncached: the gateway forwards, classifies and stores, and YARP only forwards. Runs as fast
/// as possible, and at a fixed rate far below that.
/// </summary>
internal sealed class Miss(Bench bench) : Scenario(bench)
{
    public const string Name = "miss";

    private const string Workflow = "new", Alone = ", no Redis";

    // The share of the slowest peer's throughput at which requests do not wait for each other.
    private const double Pace = 0.3;

    private readonly Dictionary<Peer, long> _next = [];

    public override async Task<IReadOnlyList<Table>> RunAsync()
    {
        var peers = Lineup.Of(Bench.Arguments, "yarp", Lineup.Gateway)
            .Select(name => (Label: name, Peer: Lineup.Create(Bench, name))).ToList();
        foreach (var (label, _) in peers.Where(peer => peer.Peer is GatewayPeer).ToArray())
        {
            var alone = Lineup.CreateGateway(Bench, label);
            alone.RedisAddress = "";
            peers.Add((label + Alone, alone));
        }
        if (peers.Count == 0) return [];
        return await WithAsync<IReadOnlyList<Table>>([.. peers.Select(peer => peer.Peer)], async () =>
        {
            var fast = await new Rounds(Bench, Name).RunAsync([.. peers.Select(peer => Contestant(peer.Label, peer.Peer,
                seconds => Bench.Wrk.CountingAsync(
                    peer.Peer, Workflow, _next[peer.Peer], Connections, seconds, Bench.Stop)))]);
            var pace = Math.Max(100, Math.Floor(fast.Min(row => row.Median(Measure.PerSecond)) * Pace / 100) * 100);
            var paced = await new Rounds(Bench, $"{Name}, paced")
                .RunAsync([.. peers.Select(peer => Contestant(peer.Label, peer.Peer,
                seconds => Paced.CountingAsync(peer.Peer, Workflow, _next[peer.Peer], pace, seconds, Bench.Stop)))]);
            return
            [
                OfCpu(
                    Name, "A new job",
                    "Finished jobs that no caller has requested, each once. YARP only forwards; the gateway forwards, "
                    + "classifies and stores.", fast),
                new Table($"{Name}-paced", "A new job, at an even pace",
                    $"The same at {pace:0} requests a second for each; times count from when a request was due.",
                    Measure.P99, ReferenceOf(paced), paced),
            ];
        });
    }

    private Contestant Contestant(string label, Peer peer, Func<int, Task<Found>> load)
    {
        _next.TryAdd(peer, 1);
        return new Contestant(label, peer, Probe.OfJob(peer, Jobs.Workflow, Jobs.Hit), async seconds =>
        {
            var found = await load(seconds);
            _next[peer] = found.Next;
            return found;
        })
        {
            MayAskUpstream = true,
            Redis = peer.Redis,
            Also = (sample, found, calls, redis) =>
            {
                if (calls < found.Requests)
                    throw new WrongAnswerException($"{label} answered {found.Requests} new jobs after {calls} calls.");
                if (peer.Redis is not null) sample[Measure.RedisCpu] = redis.TotalMicroseconds / found.Requests;
            },
        };
    }
}

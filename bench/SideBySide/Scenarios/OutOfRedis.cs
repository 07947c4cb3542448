using Gateway.SideBySide.Load;
using Gateway.SideBySide.Measuring;
using Gateway.SideBySide.Peers;

namespace Gateway.SideBySide.Scenarios;

/// <summary>
/// Requests each finished job once, or ten times, from a node that has never seen it while Redis has it, like a node
/// after its start.
/// </summary>
internal sealed class OutOfRedis(Bench bench) : Scenario(bench)
{
    public const string Name = "redis";

    private const string Workflow = "elsewhere";

    // Requests that were running when the load ended may not have been stored.
    private const int AtWork = 16 * Connections;

    private const int Often = 10;

    private static readonly Measure Reads = new("reads of Redis a request", "0.00");

    public override async Task<IReadOnlyList<Table>> RunAsync()
    {
        var nodes = new List<Node>();
        try
        {
            foreach (var name in Lineup.Of(Bench.Arguments, "kestrel-redis", "yarp-output-cache-redis", Lineup.Gateway))
                nodes.Add(await StartAsync(name));
            if (nodes.Count == 0) return [];
            var once = await new Rounds(Bench, Name).RunAsync([.. nodes.Select(node => Contestant(node, times: 1))]);
            var often = await new Rounds(Bench, $"{Name}, {Often} times")
                .RunAsync([.. nodes.Select(node => Contestant(node, Often))]);
            return
            [
                OfCpu(Name, "Out of Redis",
                    "Finished jobs that are in Redis and not in the node's memory, each requested once. Another node "
                    + "of the gateway stored them. YARP's output cache always reads Redis. Kestrel reads the same job "
                    + "each time, and sends it unchanged.", once),
                OfCpu($"{Name}-often", "Out of Redis, ten times each",
                    "The same, but each job is requested ten times, with a thousand others in between. The gateway "
                    + "reads it from Redis once.", often),
            ];
        }
        finally
        {
            foreach (var node in nodes) await node.DisposeAsync();
        }
    }

    private async Task<Node> StartAsync(string name)
    {
        var peer = Lineup.Create(Bench, name);
        if (peer is not GatewayPeer gateway)
        {
            await peer.StartAsync();
            return new Node(peer, peer, peer.Redis!, peer.RedisAddress!, null);
        }
        var (redis, address) = await Bench.StartRedisAsync();
        var filler = Lineup.CreateGateway(Bench, name);
        // The memory of another node is not used here.
        (filler.RedisAddress, filler.MemoryBytes, gateway.RedisAddress) = (address, 64L << 20, address);
        await filler.StartAsync();
        await gateway.StartAsync();
        return new Node(gateway, filler, redis, address, filler);
    }

    private Contestant Contestant(Node node, int times) =>
        new(node.Peer.Name, node.Peer, Probe.OfJob(node.Peer, Jobs.Workflow, Jobs.Hit), seconds =>
            AskAsync(node, seconds, times))
        {
            Redis = node.Redis,
            PrepareAsync = () => FillAsync(node),
            MayAskUpstream = false,
            Also = (sample, found, _, redis) =>
            {
                sample[Measure.RedisCpu] = redis.TotalMicroseconds / found.Requests;
                sample[Reads] = (double)node.Reads / found.Requests;
                if (node.Reads < found.Requests / times)
                    throw new WrongAnswerException(
                        $"{node.Peer.Name} read Redis {node.Reads} times "
                        + $"for {found.Requests} requests, {times} of each "
                        + $"job.");
            },
        };

    private async Task<Found> AskAsync(Node node, int seconds, int times)
    {
        node.Reads = await RedisReads.OfAsync(node.RedisAddress, Bench.Stop);
        var found = await Bench.Wrk.CountingAsync(
            node.Peer, Workflow, node.Next, Connections, seconds, Bench.Stop, times);
        node.Reads = await RedisReads.OfAsync(node.RedisAddress, Bench.Stop) - node.Reads;
        (node.PerSecond, node.Next) = (
            Math.Max(node.PerSecond, (found.Next - node.Next) / found.Time.TotalSeconds), found.Next);
        if (node.Next > node.Filled)
            throw new InvalidOperationException(
                $"{node.Peer.Name} was quicker than expected: Redis had {node.Filled} jobs for {node.Next}.");
        return found;
    }

    // Three times as many jobs per second as the fastest run so far, because a node that warms up can double its rate
    // at once.
    private async Task FillAsync(Node node)
    {
        while (node.Filled - node.Next < 3 * node.PerSecond * Bench.Arguments.Seconds)
        {
            var found = await Bench.Wrk.CountingAsync(node.Filler, Workflow, node.Filled, Connections, 1, Bench.Stop);
            if (found.Failed > 0)
                throw new WrongAnswerException(
                    $"{node.Filler.Name} failed {found.Failed} requests. {node.Filler.Process.Output}");
            node.Filled = Math.Max(node.Filled, found.Next - AtWork);
            // Requests that were cut off with the load still call the upstream.
            await Task.Delay(TimeSpan.FromMilliseconds(500), Bench.Stop);
        }
    }

    /// <param name="Filler">The peer that stores jobs in Redis.</param>
    private sealed record Node(Peer Peer, Peer Filler, Child Redis, string RedisAddress, Peer? OtherPeer)
        : IAsyncDisposable
    {
        public long Next { get; set; } = 1;

        /// <summary>The first job that Redis may not have.</summary>
        public long Filled { get; set; } = 1;

        /// <summary>The jobs per second of the fastest run.</summary>
        public double PerSecond { get; set; } = 20_000;

        public long Reads { get; set; }

        public async ValueTask DisposeAsync()
        {
            await Peer.DisposeAsync();
            if (OtherPeer is not null)
            {
                await OtherPeer.DisposeAsync();
                await Redis.DisposeAsync();
            }
        }
    }
}

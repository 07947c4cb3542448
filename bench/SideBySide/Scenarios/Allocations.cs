using System.Globalization;
using Gateway.SideBySide.Measuring;
using Gateway.SideBySide.Peers;
using Gateway.SideBySide.Servers;

namespace Gateway.SideBySide.Scenarios;

/// <summary>The bytes that a hit leaves for the garbage collector.</summary>
internal sealed class Allocations(Bench bench) : Scenario(bench)
{
    public const string Name = "allocations";

    private static readonly Measure Each = new("bytes allocated a request");
    private static readonly Measure Large = new("growth of the heap of large objects, bytes");

    public override Task<IReadOnlyList<Table>> RunAsync() =>
        WithAsync<IReadOnlyList<Table>>(["kestrel", Lineup.Gateway], async peers =>
    {
        var rows = new List<Row>();
        foreach (var peer in peers)
        {
            using var metrics = peer is GatewayPeer gateway ? new Prometheus(gateway.Metrics) : null;
            using var client = new HttpClient();
            using var probe = Probe.OfJob(peer, Jobs.Workflow, Jobs.Hit);
            var row = new Row(peer.Name);
            // The first round covers one-time allocations.
            for (var round = 0; round <= Bench.Arguments.Rounds; round++)
            {
                using var runLock = await Bench.Turn.TakeAsync(Bench.Stop);
                Bench.Tell($"{Name}: {peer.Name}, round {round}");
                var (allocated, large) = await LookAsync(peer, metrics, client);
                var found = await probe.WhileAsync(
                    Bench.Wrk.SameAsync(peer, HitPath, Connections, Bench.Arguments.Seconds, [],
                        Bench.Stop), Bench.Stop);
                if (found.Failed > 0)
                    throw new WrongAnswerException(
                        $"{peer.Name} failed {found.Failed} requests. {peer.Process.Output}");
                var (allocatedAfter, largeAfter) = await LookAsync(peer, metrics, client);
                var sample = new Sample { [Each] = (allocatedAfter - allocated) / found.Requests };
                if (metrics is not null) sample[Large] = largeAfter - large;
                if (round > 0) row.Samples.Add(sample);
            }
            rows.Add(row);
        }
        return rows.Count == 0 ? []
            : [new Table(Name, "Allocations of a hit",
                "Bytes that a cached job of 6 KB leaves for the garbage collector, by the runtime's own count.",
                Each, null, rows)];
    });

    private async Task<(double Allocated, double Large)> LookAsync(Peer peer, Prometheus? metrics, HttpClient client) =>
        metrics is null
        ? (double.Parse(await client.GetStringAsync(new Uri(peer.Address, Floor.Allocated), Bench.Stop),
            CultureInfo.InvariantCulture), 0)
        : (await metrics.ReadAsync("dotnet_gc_heap_total_allocated_bytes_total", "", Bench.Stop),
            await metrics.ReadAsync("dotnet_gc_last_collection_heap_size_bytes", "loh", Bench.Stop));
}

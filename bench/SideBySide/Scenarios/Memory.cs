using Gateway.SideBySide.Measuring;
using Gateway.SideBySide.Peers;

namespace Gateway.SideBySide.Scenarios;

/// <summary>The memory of a node with many cached jobs.</summary>
internal sealed class Memory(Bench bench) : Scenario(bench)
{
    public const string Name = "memory";

    private const int Count = 100_000;
    private const double MiB = 1048576;
    private const string Workflow = "weighed";

    private static readonly Measure Stored = new("jobs");
    private static readonly Measure Bodies = new("MiB of bodies as they came", "0");
    private static readonly Measure Codings = new("MiB with their codings", "0");
    private static readonly Measure Before = new("MiB in memory, empty", "0");
    private static readonly Measure After = new("MiB in memory, full", "0");
    private static readonly Measure HeapBefore = new("MiB of heap, empty", "0");
    private static readonly Measure HeapAfter = new("MiB of heap, full", "0");
    private static readonly Measure ToCodings = new("growth to what is stored", "0.00");
    private static readonly Measure ToBodies = new("growth to bodies", "0.00");

    public override async Task<IReadOnlyList<Table>> RunAsync()
    {
        var rows = new List<Row>();
        foreach (var name in Lineup.Of(Bench.Arguments, "yarp-output-cache", Lineup.Gateway))
        {
            Bench.Tell($"{Name}: {name}");
            var row = new Row(name);
            row.Samples.Add(await WithAsync([name], peers => MeasureAsync(peers[0])));
            rows.Add(row);
        }
        return rows.Count == 0 ? [] :
        [
            new Table(Name, "Memory",
                $"A node before and after {Count:#,0} finished jobs were requested. Garbage was collected before each "
                + $"measurement.", ToBodies, null, rows)
            {
                Note = "One run. Memory is the proportional set size; the heap is its size after the last collection.",
            },
        ];
    }

    private async Task<Sample> MeasureAsync(Peer peer)
    {
        using var metrics = peer is GatewayPeer gateway ? new Prometheus(gateway.Metrics) : null;
        // The first jobs run all one-time code.
        await FillAsync(peer, "first", 1000);
        var sample = new Sample();
        var (before, heap, stored) = await LookAsync(peer, metrics);
        var jobs = await FillAsync(peer, Workflow, Count);
        var (after, heapAfter, storedAfter) = await LookAsync(peer, metrics);
        var bodies = (double)jobs * new JobDocument(Workflow).Length;
        (sample[Stored], sample[Bodies]) = (jobs, bodies / MiB);
        if (metrics is not null) sample[Codings] = (storedAfter - stored) / MiB;
        (sample[Before], sample[After]) = (before / MiB, after / MiB);
        if (metrics is not null)
            (sample[HeapBefore], sample[HeapAfter], sample[ToCodings]) = (
                heap / MiB, heapAfter / MiB, (after - before) / (storedAfter - stored));
        sample[ToBodies] = (after - before) / bodies;
        return sample;
    }

    /// <returns>The number of requested jobs.</returns>
    private async Task<long> FillAsync(Peer peer, string workflow, int count)
    {
        var calls = await Bench.UpstreamCallsAsync();
        for (var next = 1L; next < count;)
        {
            using var runLock = await Bench.Turn.TakeAsync(Bench.Stop);
            var found = await Bench.Wrk.CountingAsync(peer, workflow, next, Connections, 1, Bench.Stop);
            if (found.Failed > 0)
                throw new WrongAnswerException($"{peer.Name} failed {found.Failed} requests. {peer.Process.Output}");
            next = found.Next;
        }
        return await Bench.UpstreamCallsAsync() - calls;
    }

    private async Task<(double Memory, double Heap, double Stored)> LookAsync(Peer peer, Prometheus? metrics)
    {
        await Collection.ForceAsync(peer.Process, Bench.Stop);
        return (Usage.MemoryOf(peer.Process),
            metrics is null ? 0 : await metrics.ReadAsync("dotnet_gc_last_collection_heap_size_bytes", "", Bench.Stop),
            metrics is null ? 0 : await metrics.ReadAsync("gateway_cache_memory_bytes", "", Bench.Stop));
    }
}

using Gateway.SideBySide.Load;
using Gateway.SideBySide.Measuring;
using Gateway.SideBySide.Peers;

namespace Gateway.SideBySide.Scenarios;

/// <summary>Many connections that sent one request and then stay open.</summary>
internal sealed class Idle(Bench bench) : Scenario(bench)
{
    public const string Name = "idle";

    private const int Count = 10_000, AtOnce = 100, FirstRequests = 200, MostRounds = 3;

    private static readonly Measure Each = new("KiB a connection", "0.0");
    private static readonly Measure Before = new("MiB before", "0.0");
    private static readonly Measure After = new("MiB with all", "0.0");

    public override async Task<IReadOnlyList<Table>> RunAsync()
    {
        var names = Lineup.Of(Bench.Arguments, "kestrel", "nginx", "varnish", "haproxy", Lineup.Gateway).ToArray();
        var rows = names.Select(name => new Row(name)).ToArray();
        for (var round = 0; round < Math.Min(MostRounds, Bench.Arguments.Rounds); round++)
        {
            Bench.Tell($"{Name}: round {round + 1}");
            for (var i = 0; i < names.Length; i++)
            {
                var next = (i + round) % names.Length;
                rows[next].Samples.Add(await MeasureAsync(names[next]));
            }
        }
        return rows.Length == 0 ? [] :
        [
            new Table(Name, "Idle connections",
                $"{Count:#,0} connections, each of which has requested a job once and stays open. Memory is the "
                + $"proportional set size of the server's processes, each started "
                + $"anew.", Each, ReferenceOf(rows), rows) { IsTimed = false },
        ];
    }

    private Task<Sample> MeasureAsync(string name)
    {
        var peer = Lineup.Create(Bench, name);
        return WithAsync([peer], () => MeasureAsync(peer));
    }

    private async Task<Sample> MeasureAsync(Peer peer)
    {
        using var probe = Probe.OfJob(peer, Jobs.Workflow, Jobs.Hit);
        for (var i = 0; i < FirstRequests; i++) await probe.LookAsync(Bench.Stop);
        using var runLock = await Bench.Turn.TakeAsync(Bench.Stop);
        var before = Usage.MemoryOf(peer.Process);
        var (request, open) = (Connection.Request(peer, HitPath), new List<Connection>());
        try
        {
            while (open.Count < Count)
                open.AddRange(await Task.WhenAll(Enumerable.Range(0, AtOnce).Select(_ => OpenAsync(peer, request))));
            await Task.Delay(TimeSpan.FromSeconds(1), Bench.Stop);
            await probe.LookAsync(Bench.Stop);
            var after = Usage.MemoryOf(peer.Process);
            return new Sample
            {
                [Each] = (after - before) / 1024.0 / Count,
                [Before] = before / 1048576.0,
                [After] = after / 1048576.0
            };
        }
        finally
        {
            foreach (var connection in open) connection.Dispose();
        }
    }

    private async Task<Connection> OpenAsync(Peer peer, byte[] request)
    {
        var connection = await Connection.OpenAsync(peer, Bench.Stop);
        connection.Send(request);
        if (await connection.ReceiveAsync(Bench.Stop) is not 200 and var status)
            throw new WrongAnswerException($"{peer.Name} answered one of many connections with {status}.");
        return connection;
    }
}

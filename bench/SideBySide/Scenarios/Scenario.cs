using Gateway.SideBySide.Measuring;
using Gateway.SideBySide.Peers;

namespace Gateway.SideBySide.Scenarios;

/// <summary>A workload that is measured on several peers.</summary>
internal abstract class Scenario(Bench bench)
{
    /// <summary>All scenarios in the order of their runs.</summary>
    private static readonly (string Name, Func<Bench, Scenario> Create)[] Known =
    [
        (Hit.Name, bench => new Hit(bench)),
        (Brotli.Name, bench => new Brotli(bench)),
        (NotModified.Name, bench => new NotModified(bench)),
        (OutOfRedis.Name, bench => new OutOfRedis(bench)),
        (Miss.Name, bench => new Miss(bench)),
        (Zipf.Name, bench => new Zipf(bench)),
        (Running.Name, bench => new Running(bench)),
        (Idle.Name, bench => new Idle(bench)),
        (Http2.Name, bench => new Http2(bench)),
        (Hogs.Name, bench => new Hogs(bench)),
        (Start.Name, bench => new Start(bench)),
        (Memory.Name, bench => new Memory(bench)),
        (Allocations.Name, bench => new Allocations(bench)),
    ];

    protected const int Connections = 128;

    public static string[] Names { get; } = [.. Known.Select(scenario => scenario.Name)];

    /// <summary>The scenarios that run by default.</summary>
    public static string[] Usual { get; } = [.. Names.Where(name => name != Hogs.Name)];

    protected Bench Bench => bench;

    protected static string HitPath { get; } = Jobs.PathOf(Jobs.Workflow, Jobs.Hit);

    public static Scenario Create(string name, Bench bench) => Known.First(scenario => scenario.Name == name)
        .Create(bench);

    /// <returns>The tables, or none if none of its peers was requested.</returns>
    /// <exception cref="WrongAnswerException">A peer gave a wrong answer.</exception>
    public abstract Task<IReadOnlyList<Table>> RunAsync();

    /// <summary>Starts the requested peers of a scenario, uses them, and stops them.</summary>
    protected async Task<T> WithAsync<T>(string[] names, Func<IReadOnlyList<Peer>, Task<T>> use)
    {
        var peers = Lineup.Of(bench.Arguments, names).Select(name => Lineup.Create(bench, name)).ToArray();
        return await WithAsync(peers, () => use(peers));
    }

    protected static async Task<T> WithAsync<T>(IReadOnlyList<Peer> peers, Func<Task<T>> use)
    {
        try
        {
            foreach (var peer in peers) await peer.StartAsync();
            return await use();
        }
        finally
        {
            foreach (var peer in peers) await peer.DisposeAsync();
        }
    }

    /// <summary>A table whose only measure is processor time.</summary>
    protected static Table OfCpu(string name, string title, string text, IReadOnlyList<Row> rows) =>
        new(name, title, text, Measure.Cpu, ReferenceOf(rows), rows);

    /// <summary>The gateway, or the first row if the gateway does not take part.</summary>
    protected static string? ReferenceOf(IReadOnlyList<Row> rows) =>
        rows.Count < 2 ? null : (rows.FirstOrDefault(row => row.Name == Lineup.Gateway) ?? rows[0]).Name;
}

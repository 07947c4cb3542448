using Gateway.SideBySide.Measuring;

namespace Gateway.SideBySide.Scenarios;

/// <summary>Requests the same finished job repeatedly.</summary>
internal sealed class Hit(Bench bench) : Scenario(bench)
{
    public const string Name = "hit";

    public override Task<IReadOnlyList<Table>> RunAsync() => WithAsync<IReadOnlyList<Table>>(
        ["kestrel", "nginx", "nginx-files", "varnish", "haproxy", "yarp-output-cache", Lineup.Gateway], async peers =>
    {
        var rows = await new Rounds(Bench, Name).RunAsync(
            [.. peers.Select(peer => new Contestant(peer.Name, peer, Probe.OfJob(peer, Jobs.Workflow, Jobs.Hit),
            seconds => Bench.Wrk.SameAsync(peer, HitPath, Connections, seconds, [], Bench.Stop)))]);
        return [OfCpu(Name, "A cached job",
            $"One finished job of 6 KB, without a content coding, for {Connections} connections that are kept alive.",
            rows)];
    });
}

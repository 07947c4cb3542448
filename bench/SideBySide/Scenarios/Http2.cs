using Gateway.SideBySide.Measuring;

namespace Gateway.SideBySide.Scenarios;

/// <summary>The same finished job over HTTP/2, in clear text.</summary>
internal sealed class Http2(Bench bench) : Scenario(bench)
{
    public const string Name = "http2";

    private const int Clients = 16, Streams = 8;

    public override Task<IReadOnlyList<Table>> RunAsync() =>
        WithAsync<IReadOnlyList<Table>>(["kestrel", "nginx", "varnish", "haproxy", Lineup.Gateway], async peers =>
    {
        var rows = await new Rounds(Bench, Name)
            .RunAsync(
            [
                .. peers.Select(
                peer => new Contestant(peer.Name, peer, Probe.OfJob(peer, Jobs.Workflow, Jobs.Hit, http2: true),
            seconds => Bench.H2load.SameAsync(peer, HitPath, Clients, Streams, seconds, Bench.Stop)))]);
        return [OfCpu(Name, "A cached job over HTTP/2",
            $"One finished job of 6 KB for {Clients} connections of {Streams} streams each, in clear text.", rows)];
    });
}

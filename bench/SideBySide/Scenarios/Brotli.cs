using Gateway.SideBySide.Measuring;
using Gateway.SideBySide.Peers;

namespace Gateway.SideBySide.Scenarios;

/// <summary>
/// The same finished job for clients that accept Brotli: the gateway has it stored, nginx compresses it each time.
/// </summary>
internal sealed class Brotli(Bench bench) : Scenario(bench)
{
    public const string Name = "brotli";

    private static readonly Dictionary<string, string> Accept = new() { ["Accept-Encoding"] = "br" };

    public override Task<IReadOnlyList<Table>> RunAsync() =>
        WithAsync<IReadOnlyList<Table>>(Nginx.HasBrotli ? ["nginx", Lineup.Gateway] : [Lineup.Gateway], async peers =>
    {
        var coded = peers.Select(peer => Contestant(peer, $"{peer.Name}, Brotli", Accept));
        var plain = peers.Where(peer => peer is GatewayPeer).Select(peer => Contestant(peer, peer.Name, []));
        var rows = await new Rounds(Bench, Name).RunAsync([.. coded, .. plain]);
        return [OfCpu(Name, "A cached job in Brotli",
            "The same with `Accept-Encoding: br`, beside the gateway's job without a coding.", rows)];
    });

    private Contestant Contestant(Peer peer, string name, Dictionary<string, string> headers) =>
        new(name, peer, Probe.OfJob(peer, Jobs.Workflow, Jobs.Hit, headers), seconds =>
            Bench.Wrk.SameAsync(peer, HitPath, Connections, seconds, headers, Bench.Stop));
}

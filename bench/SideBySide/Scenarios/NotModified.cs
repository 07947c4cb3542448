using Gateway.SideBySide.Measuring;
using Gateway.SideBySide.Peers;

namespace Gateway.SideBySide.Scenarios;

/// <summary>The same finished job for clients that already have it.</summary>
internal sealed class NotModified(Bench bench) : Scenario(bench)
{
    public const string Name = "304";

    public override Task<IReadOnlyList<Table>> RunAsync() => WithAsync<IReadOnlyList<Table>>(
        ["kestrel", "nginx", "nginx-files", "varnish", "haproxy", "yarp-output-cache", Lineup.Gateway], async peers =>
    {
        var contestants = new List<Contestant>();
        foreach (var peer in peers) contestants.Add(await ContestantAsync(peer));
        var rows = await new Rounds(Bench, Name).RunAsync(contestants);
        return [OfCpu(Name, "Not modified",
            "`If-None-Match` with the validator of each server; each answer is 304.", rows)];
    });

    private async Task<Contestant> ContestantAsync(Peer peer)
    {
        using var first = Probe.OfJob(peer, Jobs.Workflow, Jobs.Hit);
        var headers = new Dictionary<string, string> { ["If-None-Match"] = await first.LookAsync(Bench.Stop) };
        return new Contestant(peer.Name, peer, new Probe(peer, HitPath, _ => false, headers, status: 304),
            seconds => Bench.Wrk.SameAsync(peer, HitPath, Connections, seconds, headers, Bench.Stop));
    }
}

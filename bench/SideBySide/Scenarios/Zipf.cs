using Gateway.SideBySide.Measuring;
using Gateway.SideBySide.Peers;

namespace Gateway.SideBySide.Scenarios;

/// <summary>Many finished jobs with a skewed popularity: a few are requested often, and most rarely.</summary>
internal sealed class Zipf(Bench bench) : Scenario(bench)
{
    public const string Name = "zipf";

    private const int Count = 100_000, FirstRequests = 3 * Count;
    private const string Workflow = "popular";

    public override Task<IReadOnlyList<Table>> RunAsync() => WithAsync<IReadOnlyList<Table>>(
        ["nginx", "varnish", "haproxy", "yarp-output-cache", Lineup.Gateway], async peers =>
    {
        var rows = await new Rounds(Bench, Name).RunAsync([.. peers.Select(Contestant)]);
        return [OfCpu(Name, "Many jobs",
            $"{Count:#,0} finished jobs. The n-th most popular job is requested an n-th as often as the first (Zipf). "
            + $"Each cache has answered {FirstRequests:#,0} such requests before, and keeps its jobs.", rows)];
    });

    private Contestant Contestant(Peer peer)
    {
        var (seed, asked) = (0, 0L);

        // Without this, a faster peer would already have more of the jobs.
        async Task FillAsync()
        {
            while (asked < FirstRequests)
            {
                var found = await Bench.Wrk.ZipfAsync(peer, Workflow, Count, ++seed, Connections, 1, Bench.Stop);
                if (found.Failed > 0)
                    throw new WrongAnswerException(
                        $"{peer.Name} failed {found.Failed} requests. {peer.Process.Output}");
                asked += found.Requests;
            }
        }

        return new Contestant(peer.Name, peer, Probe.OfJob(peer, Jobs.Workflow, Jobs.Hit), seconds =>
            Bench.Wrk.ZipfAsync(peer, Workflow, Count, ++seed, Connections, seconds, Bench.Stop))
        {
            MayAskUpstream = true,
            PrepareAsync = FillAsync,
            Also = (sample, found, calls, _) => sample[Measure.HitRate] = 1 - (double)calls / found.Requests,
        };
    }
}

using Gateway.SideBySide.Measuring;
using Gateway.SideBySide.Peers;

namespace Gateway.SideBySide.Scenarios;

/// <summary>
/// A running job that a thousand clients poll as fast as possible, next to a finished job of the same size.
/// </summary>
internal sealed class Running(Bench bench) : Scenario(bench)
{
    public const string Name = "running";

    private const int Watchers = 1000;

    // The default of Jobs:RunningLifetime.
    private static readonly TimeSpan Lifetime = TimeSpan.FromSeconds(2);

    public override Task<IReadOnlyList<Table>> RunAsync() =>
        WithAsync<IReadOnlyList<Table>>([Lineup.Gateway], async peers =>
    {
        var finished = peers.Select(
            peer => new Contestant($"{peer.Name}, finished", peer, Probe.OfJob(peer, Jobs.Workflow, Jobs.Hit),
            seconds => Bench.Wrk.SameAsync(peer, HitPath, Watchers, seconds, [], Bench.Stop))
            { Also = (sample, _, calls, _) => sample[Measure.UpstreamCalls] = calls });
        var running = peers.Select(OfRunning);
        var rows = await new Rounds(Bench, Name).RunAsync([.. finished, .. running]);
        return
        [
            new Table(Name, "A running job",
                $"One running job that {Watchers:#,0} connections poll as fast as they can, beside a finished one of "
                + $"the same size. A snapshot of a running job is fresh for {Lifetime.TotalSeconds:0} s.",
                Measure.PerSecond, rows.Count > 0 ? rows[0].Name : null, rows),
        ];
    });

    private Contestant OfRunning(Peer peer)
    {
        var path = Jobs.PathOf(Jobs.RunningWorkflow, Jobs.Hit);
        return new Contestant($"{peer.Name}, running", peer, new Probe(peer, path, IsRight, []) { KeepsETag = false },
            seconds => Bench.Wrk.SameAsync(peer, path, Watchers, seconds, [], Bench.Stop))
        {
            MayAskUpstream = true,
            Also = (sample, found, calls, _) =>
            {
                sample[Measure.UpstreamCalls] = calls;
                // One call at the beginning, and one that the checks before and after may have caused.
                if (calls > found.Time / Lifetime + 2)
                    throw new WrongAnswerException(
                        $"{peer.Name} asked the upstream {calls} times in {found.Time.TotalSeconds:0} s.");
            },
        };
    }

    private static bool IsRight(byte[] body) =>
        JobDocument.ProgressOf(body) is { } progress && body.AsSpan()
            .SequenceEqual(new JobDocument(Jobs.RunningWorkflow).Of(Jobs.Hit, progress));
}

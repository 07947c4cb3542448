namespace Gateway.SideBySide.Measuring;

/// <summary>
/// Rounds with one timed run of each contestant. The order rotates from round to round, so that other load affects all
/// contestants equally. Ratios compare runs of one round.
/// </summary>
internal sealed class Rounds(Bench bench, string scenario)
{
    private const int FewestWarmUps = 12, MostWarmUps = 20;
    private const double Settled = 0.03;

    /// <exception cref="WrongAnswerException">A peer gave a wrong answer, so nothing counts.</exception>
    public async Task<List<Row>> RunAsync(IReadOnlyList<Contestant> contestants)
    {
        foreach (var contestant in contestants) await LookAsync(contestant);
        foreach (var contestant in contestants) await WarmUpAsync(contestant);
        var rows = contestants.Select(contestant => new Row(contestant.Name)).ToList();
        for (var round = 0; round < bench.Arguments.Rounds; round++)
        {
            using var runLock = await bench.Turn.TakeAsync(bench.Stop);
            Bench.Tell($"{scenario}: round {round + 1} of {bench.Arguments.Rounds}");
            for (var i = 0; i < contestants.Count; i++)
            {
                var next = (i + round) % contestants.Count;
                rows[next].Samples.Add(await RunAsync(contestants[next], bench.Arguments.Seconds));
            }
        }
        foreach (var contestant in contestants)
        {
            await LookAsync(contestant);
            contestant.Probe.Dispose();
        }
        return rows;
    }

    private async Task LookAsync(Contestant contestant)
    {
        await contestant.Probe.LookAsync(bench.Stop);
        await contestant.Probe.LookAtRefusalAsync(bench.Stop);
    }

    // Warms up until two consecutive runs are similar, but at least until .NET has probably recompiled hot code.
    private async Task WarmUpAsync(Contestant contestant)
    {
        using var runLock = await bench.Turn.TakeAsync(bench.Stop);
        var last = 0.0;
        for (var run = 1; run <= MostWarmUps; run++)
        {
            var now = (await RunAsync(contestant, 1, warmUp: true))[Measure.Cpu];
            if (run >= FewestWarmUps && Math.Abs(now / last - 1) < Settled)
            {
                Bench.Tell($"{scenario}: {contestant.Name} has settled after {run} runs at {now:0.0} µs a request");
                return;
            }
            last = now;
        }
        Bench.Tell($"{scenario}: {contestant.Name} has not settled; its last run took {last:0.0} µs a request");
    }

    private async Task<Sample> RunAsync(Contestant contestant, int seconds, bool warmUp = false)
    {
        if (contestant.PrepareAsync is not null) await contestant.PrepareAsync();
        var (peer, calls) = (contestant.Peer, await bench.UpstreamCallsAsync());
        var (cpu, redis) = (Usage.CpuOf(peer.Process), RedisCpuOf(contestant));
        var found = await contestant.Probe.WhileAsync(contestant.LoadAsync(seconds), bench.Stop);
        (cpu, redis) = (Usage.CpuOf(peer.Process) - cpu, RedisCpuOf(contestant) - redis);
        calls = await bench.UpstreamCallsAsync() - calls;
        if (found.Failed > 0)
            throw new WrongAnswerException(
                $"{contestant.Name} failed {found.Failed} of {found.Requests} requests. {peer.Process.Output}");
        if (found.Requests == 0 && !warmUp) throw new WrongAnswerException($"{contestant.Name} answered no request.");
        if (!warmUp && !contestant.MayAskUpstream && calls > 0)
            throw new WrongAnswerException(
                $"{contestant.Name} called the upstream {calls} times for jobs that it should have cached.");
        var sample = found.Sample(cpu);
        contestant.Also?.Invoke(sample, found, calls, redis);
        return sample;
    }

    private static TimeSpan RedisCpuOf(Contestant contestant) => contestant.Redis is { } redis ? Usage.CpuOf(redis)
        : TimeSpan.Zero;
}

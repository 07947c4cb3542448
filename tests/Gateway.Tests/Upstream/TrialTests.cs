using Gateway.Limits;
using Gateway.Upstream;

namespace Gateway.Tests.Upstream;

/// <summary>What an account lets through, by a clock that is moved here.</summary>
public sealed class TrialTests
{
    private const double Start = 1.8e15, Second = 1e6;

    private static readonly AccountLimits Plenty = new(new Gcra(10, 1000), 100, TimeSpan.FromSeconds(11));

    private readonly AccountState _state = new();

    private double _now = Start;

    [Fact]
    public void A_probe_that_hangs_keeps_no_other_back_and_its_late_end_opens_nothing()
    {
        Break();
        for (var i = 0; i < 10; i++)
        {
            _now += 0.5 * Second;
            Assert.Single(Ask(FirstReads("mapping", 5)).Granted);
        }
        Tell(new EndedCall(CallEnd.Accepted, "one", IsTrial: true));
        for (var i = 0; i < 9; i++) Tell(new EndedCall(CallEnd.Failed, "one", IsTrial: true));
        Assert.Equal(5, Ask(FirstReads("mapping", 5)).Granted.Count);
    }

    [Fact]
    public void A_new_credential_is_tried_by_one_call_but_where_the_upstream_is_slow_all_go()
    {
        Assert.Single(AskWithTwo(FirstReads("mapping", 9)).Granted);
        _now += 0.9 * Second;
        Assert.Empty(AskWithTwo(FirstReads("mapping", 9)).Granted);
        _now += 0.2 * Second;
        Assert.Equal(9, AskWithTwo(FirstReads("mapping", 9)).Granted.Count);
    }

    [Fact]
    public void Who_waits_for_the_trial_of_another_node_soon_asks_how_it_went()
    {
        Assert.Single(AskWithTwo(FirstReads("mapping", 1)).Granted);
        var reply = Exchange([FirstReads("mapping", 1)], [], ["one", "two"], node: "b");
        Assert.Empty(reply.Granted);
        Assert.InRange(reply.Wait, TimeSpan.Zero, TimeSpan.FromMilliseconds(50));
    }

    [Fact]
    public void A_clock_that_is_set_back_keeps_no_circuit_open()
    {
        Break();
        _now -= 3600 * Second;
        Ask();
        _now += 0.5 * Second;

        Assert.Single(Ask(FirstReads("mapping", 5)).Granted);
    }

    [Fact]
    public void A_team_that_asks_for_refused_jobs_alone_does_not_keep_the_others_from_being_tried()
    {
        for (var job = 0; job < 5; job++) Tell(new EndedCall(CallEnd.Refused, "one", job));
        var tried = new List<string>();
        for (var i = 0; i < 4; i++)
        {
            _now += 1.1 * Second;
            tried.AddRange(Ask(FirstReads("refused", 9), new WaitingCalls(CallRank.Refresh, "mapping", 1)).Granted.Select(call => call.Team));
            Tell(new EndedCall(CallEnd.Refused, "one", i, IsTrial: true));
        }

        Assert.Equal(["mapping", "refused"], tried.Take(2).Order());
        Assert.Equal(["mapping", "refused"], tried.Skip(2).Order());
    }

    [Fact]
    public void After_a_clock_was_set_back_nothing_lies_further_ahead_than_it_could()
    {
        const double Ahead = 1e18;
        var health = new AccountHealth
        {
            PausedUntil = Ahead,
            DeadTrialFrom = Ahead,
            NewTrialUntil = Ahead,
            SuspectSince = Ahead,
            RefusedAt = Ahead,
            SuspectTrialFrom = Ahead,
            DoubtUntil = Ahead,
            CertainUntil = Ahead,
        };
        health.Circuit.ProbeFrom = Ahead;

        health.Bound(_now);

        double[] left = [health.PausedUntil, health.DeadTrialFrom, health.NewTrialUntil, health.SuspectSince, health.RefusedAt,
            health.SuspectTrialFrom, health.DoubtUntil, health.CertainUntil, health.Circuit.ProbeFrom];
        Assert.Equal([300, 10, 1, 0, 0, 1, 2, 10, 0.5], left.Select(time => (time - _now) / Second));
    }

    [Fact]
    public void What_went_out_late_counts_from_then()
    {
        var limits = new AccountLimits(new Gcra(100_000, 20), 100, TimeSpan.FromSeconds(11));
        NodeReply Report(double late) => _state.Exchange(
            new NodeReport("a", 0, [FirstReads("mapping", 30)], [], ["one"]) { Late = TimeSpan.FromSeconds(late) }, limits, _now);
        Assert.Equal(20, Report(0).Granted.Count);
        _now += 0.25 * Second;

        Assert.Empty(Report(0.25).Granted);

        _now += 0.1 * Second;
        Assert.Single(Report(0).Granted);
    }

    private void Break()
    {
        for (var i = 0; i < 10; i++) Tell(new EndedCall(CallEnd.Failed, "one"));
        Assert.Equal(UpstreamFault.CircuitOpen, Ask(FirstReads("mapping", 1)).Closed?.Reason);
    }

    private static WaitingCalls FirstReads(string team, int count) => new(CallRank.FirstRead, team, count);

    private NodeReply Ask(params WaitingCalls[] waiting) => Exchange(waiting, [], ["one"]);

    private NodeReply AskWithTwo(params WaitingCalls[] waiting) => Exchange(waiting, [], ["one", "two"]);

    private void Tell(params EndedCall[] ended) => Exchange([], ended, ["one"]);

    private NodeReply Exchange(WaitingCalls[] waiting, EndedCall[] ended, string[] credentials, int underWay = 0, string node = "a") =>
        _state.Exchange(new NodeReport(node, underWay, waiting, ended, credentials), Plenty, _now);
}

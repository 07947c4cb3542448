using Gateway.Limits;
using Gateway.Upstream;

namespace Gateway.Tests.Upstream;

/// <summary>Tests which calls, probes and trials an account grants, with a fake clock.</summary>
[Trait("Kind", "Unit")]
public sealed class TrialTests
{
    private const double Start = 1.8e15, Second = 1e6;

    private static readonly AccountLimits Plenty = new(new Gcra(10, 1000), 100, TimeSpan.FromSeconds(11));

    private readonly AccountState _state = new();

    private double _now = Start;

    [Fact]
    public void A_hanging_probe_delays_no_other_and_its_late_failure_does_not_open_the_circuit()
    {
        Break();
        for (var i = 0; i < 10; i++)
        {
            _now += 0.5 * Second;
            Assert.Single(Ask(FirstReads("mapping", 5)).Granted);
        }
        Tell(new EndedCall(CallOutcome.Accepted, "one", IsProbe: true));
        for (var i = 0; i < 9; i++) Tell(new EndedCall(CallOutcome.Failed, "one", IsProbe: true));
        Assert.Equal(5, Ask(FirstReads("mapping", 5)).Granted.Count);
    }

    [Fact]
    public void A_new_credential_is_probed_by_one_call_and_used_by_all_calls_after_one_second()
    {
        Assert.Single(AskWithTwo(FirstReads("mapping", 9)).Granted);
        _now += 0.9 * Second;
        Assert.Empty(AskWithTwo(FirstReads("mapping", 9)).Granted);
        _now += 0.2 * Second;
        Assert.Equal(9, AskWithTwo(FirstReads("mapping", 9)).Granted.Count);
    }

    [Fact]
    public void A_node_that_waits_for_the_probe_of_another_node_reports_again_within_50_ms()
    {
        Assert.Single(AskWithTwo(FirstReads("mapping", 1)).Granted);
        var reply = Exchange([FirstReads("mapping", 1)], [], ["one", "two"], node: "b");
        Assert.Empty(reply.Granted);
        Assert.InRange(reply.Wait, TimeSpan.Zero, TimeSpan.FromMilliseconds(50));
    }

    [Fact]
    public void A_clock_that_is_set_back_does_not_delay_the_probe_of_an_open_circuit()
    {
        Break();
        _now -= 3600 * Second;
        Ask();
        _now += 0.5 * Second;

        Assert.Single(Ask(FirstReads("mapping", 5)).Granted);
    }

    [Fact]
    public void Teams_take_turns_at_probes_even_if_one_team_requests_only_refused_jobs()
    {
        for (var job = 0; job < 5; job++) Tell(new EndedCall(CallOutcome.Refused, "one", job));
        var tried = new List<string>();
        for (var i = 0; i < 4; i++)
        {
            _now += 1.1 * Second;
            tried.AddRange(Ask(FirstReads("refused", 9),
                new WaitingCalls(CallRank.Refresh, "mapping", 1)).Granted.Select(call => call.Team));
            Tell(new EndedCall(CallOutcome.Refused, "one", i, IsProbe: true));
        }

        Assert.Equal(["mapping", "refused"], tried.Take(2).Order());
        Assert.Equal(["mapping", "refused"], tried.Skip(2).Order());
    }

    [Fact]
    public void A_trial_is_granted_before_callers_calls_and_does_not_block_them()
    {
        Tell(new EndedCall(CallOutcome.Accepted, "one") { Address = "survey/one" });
        _now += Second;
        Assert.Equal("survey/one", Exchange([], [new EndedCall(CallOutcome.Refused, "one", 7)], ["one"]).TrialJob);
        Assert.Equal([RefusalCause.Pending], Ask().Causes);
        var reply = Ask(FirstReads("mapping", 5));
        Assert.Equal((null, 5), (reply.TrialJob, reply.Granted.Count));
        // The outcome counts on every node, whichever node made the trial.
        Assert.Equal([RefusalCause.Job], Exchange([], [KnownEnd(CallOutcome.Accepted)], ["one"], node: "b").Causes);
    }

    [Fact]
    public void A_trial_needs_budget_and_a_free_place()
    {
        Tell(new EndedCall(CallOutcome.Accepted, "one") { Address = "survey/one" });
        _now += Second;
        var full = new NodeReport("a", UnderWay(100), [], [new EndedCall(CallOutcome.Refused, "one", 7)], ["one"]);
        Assert.Null(_state.Exchange(full, Plenty, _now).TrialJob);
        Assert.Null(_state.Exchange(
            full with { UnderWay = UnderWay(0), Ended = [], SpentAlone = 1000 }, Plenty, _now).TrialJob);
        _now += Second;
        Assert.Equal("survey/one", Ask().TrialJob);
        Assert.Equal(1, _state.Nodes["a"].UnderWay.Values.Sum());
    }

    [Fact]
    public void A_trial_without_an_outcome_is_repeated_after_three_seconds()
    {
        Tell(new EndedCall(CallOutcome.Accepted, "one") { Address = "survey/one" });
        _now += Second;
        Assert.NotNull(Exchange([], [new EndedCall(CallOutcome.Refused, "one", 7)], ["one"]).TrialJob);
        _now += 2.9 * Second;
        Assert.Null(Ask().TrialJob);
        _now += 0.2 * Second;
        Assert.NotNull(Ask().TrialJob);
    }

    [Fact]
    public void No_trial_starts_while_a_successor_credential_is_tried()
    {
        Exchange([], [new EndedCall(CallOutcome.Accepted, "one") { Address = "survey/one" }], ["one", "two"]);
        _now += Second;
        Assert.Null(Exchange([], [new EndedCall(CallOutcome.Refused, "one", 7)], ["one", "two"]).TrialJob);
        // Both credentials were refused, so that the job may be the cause.
        Assert.NotNull(Exchange([], [new EndedCall(CallOutcome.RefusedTwice, "two", 7)], ["one", "two"]).TrialJob);
    }

    [Fact]
    public void Bound_limits_every_time_that_another_clock_wrote()
    {
        const double Ahead = 1e18;
        var health = new AccountHealth
        {
            PausedUntil = Ahead,
            TrialFrom = Ahead,
            TrialUntil = Ahead,
            CertainUntil = Ahead,
        };
        (health.Circuit.ProbeFrom, health.Circuit.FailingUntil, health.Circuit.GoodAt) = (Ahead, Ahead, Ahead);
        var dead = health.Credentials["dead"] = new CredentialState { DeadSince = Ahead, ProbeFrom = Ahead };
        var state = health.Credentials["one"] = new CredentialState
        {
            AcceptedAt = Ahead,
            TrialAcceptedAt = Ahead,
            SuspectAt = Ahead,
            RefusedSince = Ahead,
            RefusedAt = Ahead,
            HalfOpenSince = Ahead,
            ProbeFrom = Ahead,
            FirstProbeUntil = Ahead,
            DoubtUntil = Ahead,
        };

        health.Bound(_now);

        double[] left = [health.PausedUntil, dead.ProbeFrom, state.FirstProbeUntil, state.ProbeFrom,
            health.TrialFrom, health.TrialUntil, state.DoubtUntil, health.CertainUntil,
            health.Circuit.ProbeFrom, health.Circuit.FailingUntil, health.Circuit.GoodAt];
        Assert.Equal([300, 10, 1, 1, 1, 3, 2, 10, 0.5, 10, 0], left.Select(time => (time - _now) / Second));
        double[] past = [state.AcceptedAt, state.TrialAcceptedAt, state.SuspectAt, state.RefusedSince,
            state.RefusedAt, state.HalfOpenSince, dead.DeadSince];
        Assert.All(past, time => Assert.Equal(_now, time));
    }

    [Fact]
    public void Calls_that_went_out_late_are_charged_from_that_time()
    {
        var limits = new AccountLimits(new Gcra(100_000, 20), 100, TimeSpan.FromSeconds(11));
        NodeReply Report(double late) => _state.Exchange(
            new NodeReport("a", UnderWay(0), [FirstReads("mapping", 30)], [],
            ["one"])
            { Late = TimeSpan.FromSeconds(late) }, limits, _now);
        Assert.Equal(20, Report(0).Granted.Count);
        _now += 0.25 * Second;

        Assert.Empty(Report(0.25).Granted);

        _now += 0.1 * Second;
        Assert.Single(Report(0).Granted);
    }

    private void Break()
    {
        for (var i = 0; i < 10; i++) Tell(new EndedCall(CallOutcome.Failed, "one", i));
        Assert.Equal(UpstreamFault.CircuitOpen, Ask(FirstReads("mapping", 1)).Closed?.Reason);
    }

    private static EndedCall KnownEnd(CallOutcome end) =>
        new(end, "one", IsProbe: true) { Address = "survey/one", IsTrial = true };

    private static WaitingCalls FirstReads(string team, int count) => new(CallRank.FirstRead, team, count);

    private static Dictionary<string, int> UnderWay(int count) => count == 0 ? [] : new() { ["mapping"] = count };

    private NodeReply Ask(params WaitingCalls[] waiting) => Exchange(waiting, [], ["one"]);

    private NodeReply AskWithTwo(params WaitingCalls[] waiting) => Exchange(waiting, [], ["one", "two"]);

    private void Tell(params EndedCall[] ended) => Exchange([], ended, ["one"]);

    private NodeReply Exchange(
        WaitingCalls[] waiting, EndedCall[] ended, string[] credentials, int underWay = 0, string node = "a") =>
        _state.Exchange(new NodeReport(node, UnderWay(underWay), waiting, ended, credentials), Plenty, _now);
}

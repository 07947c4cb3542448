using CsCheck;
using Gateway.Limits;
using Gateway.Upstream;

namespace Gateway.Tests.Upstream;

/// <summary>The permits that an account's state gives to polls of watched jobs.</summary>
[Trait("Kind", "Unit")]
public sealed class PollGrantTests
{
    private const double Start = 1.8e15, Second = 1e6;

    private readonly AccountState _state = new();

    [Fact]
    public void No_poll_goes_out_while_a_caller_waits_on_any_node()
    {
        var limits = Limits(perSecond: 10, burst: 20, calls: 2);
        Exchange(limits, Start, Report("two", underWay: 2, new WaitingCalls(CallRank.Refresh, "b", 1)));
        // The places are free again, but the other node has not asked again.
        _state.Nodes["two"] = _state.Nodes["two"] with { UnderWay = [] };

        Assert.Empty(Exchange(limits, Start, Report("one", underWay: 0, Polls("a", 5))).Granted);

        // The other node has died.
        Assert.Single(Exchange(limits, Start + Second, Report("one", underWay: 0, Polls("a", 5))).Granted);
    }

    [Fact]
    public void Polls_leave_the_bucket_nearly_full_and_go_on_at_the_rate()
    {
        var limits = Limits(perSecond: 10, burst: 20);
        var granted = 0;
        for (var now = Start; now < Start + 10 * Second; now += 10_000)
        {
            granted += Exchange(limits, now, Report("one", underWay: 0, Polls("a", 500))).Granted.Count;
            Assert.InRange(limits.Budget.Available(_state.FullAt, now), 18, 20);
        }
        Assert.InRange(granted, 99, 102);
    }

    [Fact]
    public void Polls_get_only_what_callers_leave()
    {
        var limits = Limits(perSecond: 10, burst: 20);
        var (polls, reads) = (0, 0);
        for (var (now, i) = (Start, 0); i < 10_000; (now, i) = (now + 10_000, i + 1))
        {
            // Eight reads a second.
            WaitingCalls[] waiting = i % 25 < 2 ? [Polls("a", 500), Reads("b", 1)] : [Polls("a", 500)];
            var reply = Exchange(limits, now, Report("one", underWay: 0, waiting));
            reads += reply.Granted.Count(call => call.Rank == CallRank.FirstRead);
            polls += reply.Granted.Count(call => call.Rank == CallRank.Watch);
        }
        Assert.Equal(800, reads);
        Assert.InRange(polls, 190, 203);
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 1)]
    [InlineData(32, 16)]
    [InlineData(33, 17)]
    public void Polls_leave_half_of_the_places_free(int calls, int most)
    {
        var limits = Limits(perSecond: 1e5, burst: 100_000, calls);
        Assert.Equal(most, Exchange(limits, Start, Report("one", underWay: 0, Polls("a", 100))).Granted.Count);
    }

    [Fact]
    public void Polls_of_a_team_do_not_count_as_calls_or_turns_of_its_readers()
    {
        var limits = Limits(perSecond: 1000, burst: 1000, calls: 32) with { Teams = 2 };
        Assert.Equal(16, Exchange(limits, Start, Report("one", underWay: 0, Polls("a", 100))).Granted.Count);
        Assert.Equal([(AccountState.NodeCalls.NoTeam, 16)],
            _state.Nodes["one"].UnderWay.Select(team => (team.Key, team.Value)));
        Assert.Empty(_state.Turns.Served);
        Assert.Equal(0, _state.Nodes["one"].Waiting.Where(calls => calls.Team == "a").Min(calls => calls.Count - 84));
    }

    [Fact]
    public void Teams_that_watch_take_turns_and_nodes_share_a_teams_turns_by_the_number_of_their_polls()
    {
        var limits = Limits(perSecond: 10, burst: 20);
        var counts = new Dictionary<string, int>();
        for (var now = Start; now < Start + 300 * Second; now += 5_000)
        {
            Ask(now, "one", Polls("a", 30), Polls("b", 3));
            Ask(now, "two", Polls("a", 10));
            Ask(now, "three", Polls("c", 1));
        }
        // A third of 3,000 polls for each team.
        Assert.InRange(counts["a one"], 700, 800);
        Assert.InRange(counts["a two"], 200, 300);
        Assert.InRange(counts["b one"], 950, 1050);
        Assert.InRange(counts["c three"], 950, 1050);

        void Ask(double now, string node, params WaitingCalls[] waiting)
        {
            foreach (var (_, team) in Exchange(limits, now, Report(node, underWay: 0, waiting)).Granted)
            {
                counts[$"{team} {node}"] = counts.GetValueOrDefault($"{team} {node}") + 1;
            }
        }
    }

    [Fact]
    public void A_poll_may_be_the_half_open_probe_and_no_second_call_goes_out_with_it()
    {
        var limits = Limits(perSecond: 1000, burst: 1000);
        EndedCall[] failed = [.. Enumerable.Range(0, 20).Select(i => new EndedCall(CallOutcome.Failed, "key", i))];
        var open = Exchange(limits, Start, Report("one", underWay: 0, Polls("a", 5)) with { Ended = failed });
        Assert.Equal((UpstreamFault.CircuitOpen, 0), (open.Closed?.Reason, open.Granted.Count));

        var reply = Exchange(limits, Start + Second, Report("one", underWay: 0, Polls("a", 5)));

        Assert.Equal((true, 1), (reply.IsProbe, reply.Granted.Count));
        var read = Exchange(limits, Start + 2 * Second, Report("one", underWay: 1, Polls("a", 5), Reads("b", 1)));
        Assert.Equal([(CallRank.FirstRead, "b")], read.Granted);
    }

    [Fact]
    public void A_node_with_polls_reports_again_when_the_next_one_may_go_out_and_before_its_claim_expires() =>
        Gen.Select(Gen.Double[0.05, 1000], Gen.Int[1, 50]).Sample((perSecond, burst) =>
        {
            var limits = Limits(perSecond, burst);
            var (state, now, granted) = (new AccountState(), Start, 0);
            for (var i = 0; i < 200; i++)
            {
                var reply = state.Exchange(Report("one", underWay: 0, Polls("a", 1000)), limits, now);
                granted += reply.Granted.Count;
                Assert.InRange(reply.Wait.TotalSeconds, 0, 0.4);
                now += Math.Max(1000, reply.Wait.TotalMicroseconds);
            }
            var most = burst + (now - Start) / Second * perSecond;
            Assert.InRange(granted, 0.9 * (most - burst) - 2, most);
        }, iter: 300);

    private NodeReply Exchange(AccountLimits limits, double now, NodeReport report) =>
        _state.Exchange(report, limits, now);

    private static AccountLimits Limits(double perSecond, int burst, int calls = 1000) =>
        new(new Gcra(1e6 / perSecond, burst), calls, TimeSpan.FromSeconds(11));

    private static WaitingCalls Polls(string team, int count) => new(CallRank.Watch, team, count);

    private static WaitingCalls Reads(string team, int count) => new(CallRank.FirstRead, team, count);

    private static NodeReport Report(string node, int underWay, params WaitingCalls[] waiting) =>
        new(node, underWay == 0 ? new Dictionary<string, int>() : new() { ["other"] = underWay }, waiting, [], ["key"]);
}

using CsCheck;
using Gateway.Limits;
using Gateway.Upstream;

namespace Gateway.Tests.Upstream;

/// <summary>Tests what all nodes together are granted for any reports in any order.</summary>
[Trait("Kind", "Unit")]
public sealed class AccountStateTests
{
    private const double Start = 1.8e15, Second = 1e6;

    private static readonly string[] Teams = ["a", "b", "c"];

    private static readonly Gen<AccountLimits> AnyLimits = Gen.Select(
        Gen.Double[0.1, 3000], Gen.Int[1, 60], Gen.Int[1, 20], Gen.Int[2, 20])
        .Select((perSecond, burst, calls, seconds) => new AccountLimits(
        new Gcra(1e6 / perSecond, burst), calls, TimeSpan.FromSeconds(seconds)));

    private static readonly Gen<WaitingCalls[]> AnyWaiting = Gen.Select(Gen.Int[0, 3], Gen.Int[0, 2], Gen.Int[1, 40])
        .Select((rank, team, count) => new WaitingCalls((CallRank)rank, Teams[team], count)).Array[0, 5]
        .Select(waiting => waiting.DistinctBy(calls => (calls.Rank, calls.Team)).ToArray());

    private static readonly Gen<CallOutcome> AnyEnd = Gen.Int[0, 7].Select(end => (CallOutcome)end);

    // A step of one node: its delay, whether the node dies first, how many of its calls end, and their outcome.
    private static readonly Gen<Step> AnyStep = Gen.Select(
        Gen.OneOf(Gen.Double[0, 20_000], Gen.Double[0, 3 * Second]), Gen.Int[0, 2], Gen.Int[0, 9], Gen.Int[0, 20],
        AnyEnd, AnyWaiting)
        .Select((later, node, fate, ended, end, waiting) => new Step(later, node, fate == 0, ended, end, waiting));

    [Theory]
    [InlineData(20)]
    [InlineData(60)]
    [InlineData(3600)]
    public void A_clock_set_back_neither_prolongs_nor_shortens_pauses_and_refills(int seconds)
    {
        var limits = new AccountLimits(new Gcra(Second, 5), 10, TimeSpan.FromSeconds(10));
        var state = new AccountState();
        Assert.Equal(5, state.Exchange(Asking(5), limits, Start).Granted.Count);
        state.Exchange(Asking(0, new EndedCall(CallOutcome.Busy, "key", RetryAfter: TimeSpan.FromSeconds(3))),
            limits, Start);

        var now = Start - seconds * Second;
        var paused = state.Exchange(Asking(1), limits, now);
        var open = state.Exchange(Asking(5), limits, now + 3 * Second);

        Assert.Equal((UpstreamFault.Paused, now + 3 * Second),
            (paused.Closed!.Value.Reason, paused.Closed.Value.Until));
        Assert.Equal(3, open.Granted.Count);
        Assert.Equal(["one"], state.Nodes.Keys);
    }

    [Fact]
    public void A_report_with_a_slightly_older_time_is_not_treated_as_a_clock_step()
    {
        var limits = new AccountLimits(new Gcra(Second, 5), 10, TimeSpan.FromSeconds(10));
        var state = new AccountState();
        state.Exchange(Asking(0, new EndedCall(CallOutcome.Busy, "key", RetryAfter: TimeSpan.FromSeconds(30))),
            limits, Start);
        var paused = state.Exchange(Asking(1), limits, Start - 2 * Second);
        Assert.Equal(Start + 30 * Second, paused.Closed!.Value.Until);
    }

    [Fact]
    public void In_any_window_grants_do_not_exceed_the_burst_plus_the_rate() =>
        Gen.Select(AnyLimits, AnyStep.Array[1, 120]).Sample((limits, steps) =>
        {
            var granted = new List<(double At, int Count)>();
            Run(limits, steps, (now, reply, _) =>
                granted.Add((now, reply.Granted.Count + (reply.TrialJob is null ? 0 : 1))));
            for (var from = 0; from < granted.Count; from++)
            {
                var sum = 0;
                for (var to = from; to < granted.Count; to++)
                {
                    sum += granted[to].Count;
                    Assert.True(sum <= limits.Budget.Burst + (granted[to].At - granted[from].At)
                        / limits.Budget.Interval + 0.01, $"{sum} in {from}..{to}");
                }
            }
        });

    [Fact]
    public void Concurrent_calls_never_exceed_the_limit_even_if_nodes_die_and_restart() =>
        Gen.Select(AnyLimits, AnyStep.Array[1, 120]).Sample((limits, steps) =>
            Run(limits, steps, (_, _, underWay) => Assert.InRange(underWay, 0, limits.MaxConcurrentRequests)));

    [Fact]
    public void No_node_is_granted_more_calls_than_it_reported_and_no_count_is_negative() =>
        Gen.Select(AnyLimits, AnyStep.Array[1, 120]).Sample((limits, steps) =>
        {
            var step = 0;
            var state = new AccountState();
            Run(limits, steps, (_, reply, _) =>
            {
                var asked = steps[step++].Waiting.ToDictionary(calls => (calls.Rank, calls.Team), calls => calls.Count);
                Assert.All(reply.Granted.CountBy(call => call),
                    group => Assert.InRange(group.Value, 1, asked.GetValueOrDefault(group.Key)));
                Assert.All(state.Nodes.Values,
                    node => Assert.InRange(node.UnderWay.Values.Sum(), 0, limits.MaxConcurrentRequests));
                Assert.All(state.Nodes.Values.SelectMany(node => node.Waiting),
                    waiting => Assert.InRange(waiting.Count, 0, 40));
                Assert.InRange(reply.Wait, TimeSpan.Zero, AccountHealth.LongestPause);
            }, state);
        });

    [Fact]
    public void The_only_node_with_waiting_calls_is_granted_everything_that_is_available() =>
        Gen.Select(AnyLimits, AnyWaiting, Gen.Int[0, 70], Gen.Int[0, 25], Gen.Int[0, 25])
            .Sample((limits, waiting, spent, underWay, elsewhere) =>
        {
            // Polls of watched jobs get less.
            waiting = [.. waiting.Where(calls => calls.Rank != CallRank.Watch)];
            var state = new AccountState();
            state.Exchange(Report("other", elsewhere), limits, Start);
            state.Exchange(Report("one", underWay, spentAlone: spent), limits, Start);
            var now = Start + Second;
            var expected = Math.Min(limits.Budget.Available(state.FullAt, now),
                Math.Max(0, limits.MaxConcurrentRequests - underWay - elsewhere));

            var reply = state.Exchange(Report("one", underWay, waiting), limits, now);

            Assert.Equal(Math.Min(expected, waiting.Sum(calls => calls.Count)), reply.Granted.Count);
        });

    [Fact]
    public void Calls_made_without_Redis_are_charged_to_the_shared_budget()
    {
        var limits = Limits(perSecond: 1, burst: 10);
        var state = new AccountState();
        state.Exchange(Report("one", spentAlone: 7), limits, Start);
        Assert.Equal(3, state.Exchange(Report("two", waiting: Reads("a", 20)), limits, Start).Granted.Count);
    }

    [Fact]
    public void The_calls_of_a_dead_node_count_until_the_longest_call_time_has_passed()
    {
        var limits = Limits(perSecond: 1000, burst: 100, calls: 4);
        var state = new AccountState();
        Assert.Equal(4, state.Exchange(Report("dead", waiting: Reads("a", 9)), limits, Start).Granted.Count);
        var over = Start + limits.CallTime.TotalMicroseconds;
        Assert.Empty(state.Exchange(Report("one", waiting: Reads("a", 9)), limits, over - 1).Granted);
        Assert.Equal(4, state.Exchange(Report("one", waiting: Reads("a", 9)), limits, over).Granted.Count);
    }

    [Fact]
    public void The_turn_of_another_node_is_reserved_until_its_last_report_expires()
    {
        var limits = Limits(perSecond: 1, burst: 10);
        var state = new AccountState();
        state.Exchange(Report("one", spentAlone: 10), limits, Start);
        state.Exchange(Report("two", waiting: Reads("b", 9)), limits, Start);
        var now = Start + 4 * Second;

        // Two permits have been refilled since, and the other node still waits.
        state.FullAt = limits.Budget.With(2, now);
        state.Exchange(Report("two", underWay: limits.MaxConcurrentRequests, waiting: Reads("b", 9)), limits, now);
        state.Nodes["two"] = state.Nodes["two"] with { UnderWay = [] };
        Assert.Single(state.Exchange(Report("one", waiting: Reads("a", 9)), limits, now).Granted);
        Assert.Empty(state.Exchange(Report("one", waiting: Reads("a", 9)), limits, now).Granted);
        Assert.Single(state.Exchange(Report("one", waiting: Reads("a", 9)), limits, now + Second / 2).Granted);
    }

    [Fact]
    public void Granted_calls_no_longer_count_as_waiting()
    {
        var limits = Limits(perSecond: 0.1, burst: 10);
        var state = new AccountState();
        Assert.Equal(6, state.Exchange(Report("one", waiting: Reads("a", 6)), limits, Start).Granted.Count);
        Assert.Equal(4, state.Exchange(Report("two", waiting: Reads("b", 6)), limits, Start).Granted.Count);
    }

    [Fact]
    public void An_idle_node_is_removed_when_another_node_reports()
    {
        var state = new AccountState();
        state.Exchange(Report("idle"), Limits(perSecond: 1, burst: 1), Start);
        state.Exchange(Report("busy", underWay: 1), Limits(perSecond: 1, burst: 1), Start);
        state.Exchange(Report("one"), Limits(perSecond: 1, burst: 1), Start);
        Assert.Equal(["busy", "one"], state.Nodes.Keys.Order());
    }

    [Fact]
    public void Trials_start_at_least_one_second_apart_unless_the_last_was_refused() =>
        Gen.Select(AnyLimits, AnyStep.Array[1, 200]).Sample((limits, steps) =>
        {
            var trials = new List<double>();
            var state = new AccountState();
            var ends = 0;
            Run(limits, steps, (now, reply, _) =>
            {
                if (steps[ends++].End == CallOutcome.Refused) trials.Clear();
                if (reply.TrialJob is null) return;
                Assert.All(trials, at => Assert.InRange(now - at, Second, double.MaxValue));
                trials.Add(now);
            }, state);
        });

    [Theory]
    [InlineData(32, 24)]
    [InlineData(8, 6)]
    [InlineData(4, 3)]
    [InlineData(2, 1)]
    [InlineData(1, 1)]
    public void A_team_leaves_free_places_for_other_teams_if_there_are_any(int calls, int most)
    {
        var limits = Limits(perSecond: 1000, burst: 1000, calls) with { Teams = 2 };
        var state = new AccountState();
        Assert.Equal(most, state.Exchange(Report("one", waiting: Reads("slow", 100)), limits, Start).Granted.Count);
        Assert.InRange(state.Exchange(Report("two", waiting: Reads("quick", 1)), limits, Start).Granted.Count,
            Math.Min(1, calls - most), 1);
        Assert.Equal(calls, new AccountState().Exchange(Report("one", waiting: Reads("slow", 100)),
            limits with { Teams = 1 }, Start).Granted.Count);
    }

    [Fact]
    public void Teams_over_their_share_hold_equally_many_places_and_leave_one_for_a_new_team() =>
        Gen.Select(Gen.Int[8, 64], Gen.Int[2, 4], Gen.Int[0, 1000]).Sample((calls, teams, seed) =>
        {
            var limits = Limits(perSecond: 1e5, burst: 10_000, calls) with { Teams = teams + 1 };
            var (state, random, now) = (new AccountState(), new Random(seed), Start);
            string[] all = [.. Enumerable.Range(0, teams).Select(team => $"{team}")];
            var held = all.ToDictionary(team => team, _ => 0);
            // The first team starts alone.
            for (var i = 0; i < 2000; i++)
            {
                now += 1000;
                var asking = i < 20 ? all[..1] : all;
                var ending = all[random.Next(teams)];
                if (i >= 20 && held[ending] > 0) held[ending]--;
                var report = new NodeReport("one", held.Where(team => team.Value > 0).ToDictionary(),
                    [.. asking.Select(team => new WaitingCalls(CallRank.FirstRead, team, 100))], [], ["key"]);
                foreach (var (_, team) in state.Exchange(report, limits, now).Granted) held[team]++;
                // Only a team without a place may take the last place.
                Assert.True(held.Values.Sum() < calls || held.ContainsValue(1), "No place is left for a new team");
            }
            // One free place more or less moves the bound of a team by three.
            Assert.InRange(held.Values.Max() - held.Values.Min(), 0, Math.Max(3, 1 + calls / 8));
        }, iter: 30);

    [Fact]
    public void Calls_under_way_are_counted_by_team_across_nodes()
    {
        var limits = Limits(perSecond: 1000, burst: 1000, calls: 32) with { Teams = 2 };
        var state = new AccountState();
        for (var node = 0; node < 4; node++)
        {
            state.Exchange(Report($"{node}", waiting: Reads("slow", 10)), limits, Start);
        }
        Assert.Equal(24, state.Nodes.Values.Sum(node => node.UnderWay.Values.Sum()));
        Assert.Equal(5, state.Exchange(Report("4", waiting: Reads("quick", 5)), limits, Start).Granted.Count);
    }

    [Fact]
    public void A_clock_step_back_never_grants_more_than_the_burst_at_once() =>
        Gen.Select(AnyLimits, Gen.Select(AnyStep, Gen.Double[-1e13, 1e13]).Array[1, 60]).Sample((limits, steps) =>
            Run(limits, [.. steps.Select(step => step.Item1 with { Later = step.Item2 })],
                (_, reply, _) => Assert.InRange(reply.Granted.Count, 0, (int)limits.Budget.Burst)));

    [Fact]
    public void A_clock_step_back_blocks_an_account_for_a_bounded_time() =>
        Gen.Select(AnyLimits, AnyStep.Array[1, 60], Gen.OneOf(Gen.Double[0, 60 * Second], Gen.Double[0, 1e13]))
            .Sample((limits, steps, back) =>
        {
            var state = new AccountState();
            var from = Run(limits, steps, (_, _, _) => { }, state) - back;
            var longest = Math.Max(AccountHealth.LongestPause.TotalMicroseconds, 2 * limits.CallTime.TotalMicroseconds);
            var until = from + longest + limits.Budget.Interval + Second;
            var now = from;
            while (state.Exchange(Report("new", waiting: Reads("z", 1)), limits, now) is
                {
                    Granted.Count: 0,
                    Wait: var wait
                })
            {
                Assert.True(now < until, $"Nothing is granted after {(now - from) / Second:0} s");
                now += Math.Max(1000, wait.TotalMicroseconds);
            }
        }, iter: 300);

    /// <summary>Runs the steps. Calls of a dead node stay under way for the longest call time.</summary>
    /// <returns>The time after the last step.</returns>
    private static double Run(
        AccountLimits limits, Step[] steps, Action<double, NodeReply, int> check, AccountState? state = null)
    {
        state ??= new AccountState();
        var now = Start;
        var longest = limits.CallTime.TotalMicroseconds;
        List<(double At, bool IsProbe, bool IsKnown)>[] calls = [[], [], []];
        var ghosts = new List<double>();
        var lives = new int[3];
        foreach (var step in steps)
        {
            now += step.Later;
            var own = calls[step.Node];
            if (step.Dies)
            {
                ghosts.AddRange(own.Select(call => call.At));
                own.Clear();
                lives[step.Node]++;
            }
            var over = own.RemoveAll(call => call.At + longest <= now);
            ghosts.RemoveAll(at => at + longest <= now);
            var ending = own[..Math.Min(step.Ended, own.Count)];
            own.RemoveRange(0, ending.Count);
            EndedCall[] ended = [.. Enumerable.Repeat(new EndedCall(CallOutcome.Unknown, "key"), over),
                .. ending.Select((call, i) => new EndedCall(step.End, "key", i, call.IsProbe)
                {
                    Address = $"survey/{i}",
                    IsTrial = call.IsKnown,
                    Age = now - call.At,
                })];

            var reply = state.Exchange(
                Report($"{step.Node}-{lives[step.Node]}", own.Count, step.Waiting) with { Ended = ended }, limits, now);

            own.AddRange(reply.Granted.Select(_ => (now, reply.IsProbe, false)));
            if (reply.TrialJob is not null) own.Add((now, true, true));
            check(now, reply, calls.Sum(list => list.Count(call => call.At + longest > now)) + ghosts.Count);
        }
        return now;
    }

    private static AccountLimits Limits(double perSecond, int burst, int calls = 1000) =>
        new(new Gcra(1e6 / perSecond, burst), calls, TimeSpan.FromSeconds(11));

    private static WaitingCalls[] Reads(string team, int count) => [new WaitingCalls(CallRank.FirstRead, team, count)];

    private static NodeReport Report(
        string node, int underWay = 0, WaitingCalls[]? waiting = null, int spentAlone = 0) =>
        new(node, UnderWay(underWay), waiting ?? [], [], ["key"], spentAlone);

    private static Dictionary<string, int> UnderWay(int count) => count == 0 ? [] : new() { ["other"] = count };

    private sealed record Step(double Later, int Node, bool Dies, int Ended, CallOutcome End, WaitingCalls[] Waiting);

    private static NodeReport Asking(int count, params EndedCall[] ended) =>
        new("one", UnderWay(0), count == 0 ? [] : [new WaitingCalls(CallRank.FirstRead, "a", count)], ended, ["key"]);
}

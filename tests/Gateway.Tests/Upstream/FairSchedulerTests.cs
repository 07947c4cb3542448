using CsCheck;
using Gateway.Limits;
using Gateway.Upstream;

namespace Gateway.Tests.Upstream;

/// <summary>Tests that teams take turns, on one node and on several.</summary>
[Trait("Kind", "Unit")]
public sealed class FairSchedulerTests
{
    private const double Start = 1.8e15;

    private static readonly string[] Names = ["a", "b", "c", "d", "e"];

    [Fact]
    public void Waiting_teams_are_served_equally_to_within_one_call() =>
        Gen.Int[1, 500].Array[2, 5].Sample(backlogs =>
        {
            var claims = backlogs.Select((count, team) => Reads(Names[team], count)).ToList();
            var order = new FairScheduler();
            while (claims.TrueForAll(claim => claim.Left > 0))
            {
                ServeNext(order, claims);
                var served = claims.Select(claim => claim.Count - claim.Left).ToArray();
                Assert.InRange(served.Max() - served.Min(), 0, 1);
            }
        });

    [Fact]
    public void A_new_team_waits_for_at_most_one_call_of_each_other_team() =>
        Gen.Select(Gen.Int[100, 100_000].Array[1, 4], Gen.Int[0, 90]).Sample((backlogs, before) =>
        {
            var claims = backlogs.Select((count, team) => Reads(Names[team], count)).ToList();
            var order = new FairScheduler();
            for (var i = 0; i < before; i++) ServeNext(order, claims);
            var one = Reads("new", 1);
            claims.Add(one);
            var waited = 0;
            while (ServeNext(order, claims) != one) waited++;
            Assert.InRange(waited, 0, backlogs.Length);
        });

    [Fact]
    public void An_absent_team_accumulates_no_priority()
    {
        var order = new FairScheduler();
        List<FairScheduler.Claim> claims = [Reads("a", 1000)];
        for (var i = 0; i < 500; i++) ServeNext(order, claims);
        claims.Add(Reads("b", 1000));
        for (var i = 0; i < 100; i++) ServeNext(order, claims);
        Assert.InRange(1000 - claims[1].Left, 49, 51);
    }

    [Fact]
    public void Every_fifth_call_is_a_refresh_while_first_reads_wait_and_no_call_is_lost()
    {
        var order = new FairScheduler();
        List<FairScheduler.Claim> claims = [
            Reads("a", 80), new(CallRank.Refresh, "a", true, 10), new(CallRank.Refresh, "b", true, 20)];
        var ranks = new List<CallRank>();
        while (ServeNext(order, claims) is { } served) ranks.Add(served.Rank);
        Assert.Equal(110, ranks.Count);
        for (var i = 0; i < 100; i++) Assert.Equal(i % 5 == 4 ? CallRank.Refresh : CallRank.FirstRead, ranks[i]);
        Assert.All(ranks[100..], rank => Assert.Equal(CallRank.Refresh, rank));
    }

    [Fact]
    public void First_reads_served_before_a_refresh_waits_do_not_bring_it_forward()
    {
        var order = new FairScheduler();
        List<FairScheduler.Claim> claims = [Reads("a", 100)];
        for (var i = 0; i < 50; i++) ServeNext(order, claims);
        claims.Add(new FairScheduler.Claim(CallRank.Refresh, "b", true, 1));
        for (var i = 0; i < 4; i++) Assert.Equal(CallRank.FirstRead, ServeNext(order, claims)!.Rank);
        Assert.Equal(CallRank.Refresh, ServeNext(order, claims)!.Rank);
    }

    [Fact]
    public void A_call_with_another_credential_is_served_before_all_others()
    {
        var order = new FairScheduler { ReadsInRow = 9 };
        List<FairScheduler.Claim> claims = [
            Reads("a", 5), new(CallRank.Refresh, "b", true, 5), new(CallRank.OtherCredential, "c", true, 3)];
        for (var i = 0; i < 3; i++) Assert.Equal(CallRank.OtherCredential, ServeNext(order, claims)!.Rank);
        Assert.NotEqual(CallRank.OtherCredential, ServeNext(order, claims)!.Rank);
    }

    [Fact]
    public void Only_teams_ahead_of_the_virtual_time_are_remembered()
    {
        var order = new FairScheduler();
        List<FairScheduler.Claim> claims = [Reads("a", 2), Reads("b", 2), Reads("c", 1)];
        while (ServeNext(order, claims) is not null) order.Prune();
        Assert.Equal(["a", "b"], order.Served.Keys.Order());
        Assert.All(order.Served.Values, served => Assert.True(served > order.VirtualTime));
    }

    [Fact]
    public void Teams_on_several_nodes_are_served_equally_at_any_report_intervals() =>
        Gen.Select(Gen.Int[1, 7].Array[2, 4], Gen.Double[10, 3000], Gen.Int[1, 50], Gen.Double[0, 25_000].Array[3],
            Gen.Double[1000, 25_000].Array[3])
            .Sample((places, perSecond, burst, phases, pauses) =>
            {
                var served = Serve(places, perSecond, burst, phases, pauses, out var atOnce);
                Assert.True(served.Max() - served.Min() <= atOnce + 2 * 3,
                    $"{string.Join(' ', served)}, {atOnce} at once");
            }, iter: 200);

    [Fact]
    public void A_team_whose_node_always_reports_first_gets_no_larger_share()
    {
        var served = Serve([1, 2], perSecond: 1000, burst: 20, phases: [0, 100, 0],
            pauses: [10_000, 10_000, 10_000], out _);
        Assert.InRange((double)served[0] / served.Sum(), 0.48, 0.52);
    }

    [Fact]
    public void A_new_team_on_its_own_node_waits_for_at_most_one_call_of_each_other_team() =>
        Gen.Select(Gen.Int[1, 3], Gen.Int[1, 10_000], Gen.Double[0, 5e6]).Sample((teams, backlog, later) =>
        {
            var limits = new AccountLimits(new Gcra(1e5, 20), 10_000, TimeSpan.FromSeconds(11));
            var state = new AccountState();
            WaitingCalls[] many = [
                .. Names[..teams].Select(team => new WaitingCalls(CallRank.FirstRead, team, backlog))];
            var now = Start;
            for (; now < Start + later; now += 25_000) state.Exchange(
                new NodeReport("one", new Dictionary<string, int>(), many, [], ["key"]), limits, now);
            var others = 0;
            while (
                state.Exchange(new NodeReport("two", new Dictionary<string, int>(), [new(CallRank.FirstRead, "new", 1)],
                [], ["key"]), limits, now).Granted.Count == 0)
            {
                others += state.Exchange(
                    new NodeReport("one", new Dictionary<string, int>(), many, [], ["key"]), limits, now).Granted.Count;
                Assert.InRange(others, 0, teams);
                now += 10_000;
            }
        });

    /// <summary>Three nodes report, each at its own interval, for teams that always have waiting calls.</summary>
    /// <param name="places">For each team, a bit for each node where its calls wait.</param>
    /// <param name="atOnce">The most calls that one report was granted.</param>
    private static int[] Serve(
        int[] places, double perSecond, int burst, double[] phases, double[] pauses, out int atOnce)
    {
        var limits = new AccountLimits(new Gcra(1e6 / perSecond, burst), 1_000_000, TimeSpan.FromSeconds(11));
        var state = new AccountState();
        var served = new int[places.Length];
        var next = phases.Select(phase => Start + phase).ToArray();
        atOnce = 0;
        // The first reports only announce waiting calls, with an empty budget.
        for (var node = 0; node < next.Length; node++) Ask(node, spentAlone: burst);
        while (next.Min() < Start + 3e6)
        {
            var node = Array.IndexOf(next, next.Min());
            var reply = Ask(node);
            foreach (var (_, team) in reply.Granted) served[Array.IndexOf(Names, team)]++;
            atOnce = Math.Max(atOnce, reply.Granted.Count);
            next[node] += pauses[node];
        }
        return served;

        NodeReply Ask(int node, int spentAlone = 0)
        {
            WaitingCalls[] waiting = [.. places.Index().Where(team => (team.Item >> node & 1) == 1)
                .Select(team => new WaitingCalls(CallRank.FirstRead, Names[team.Index], 10_000))];
            return state.Exchange(new NodeReport($"{node}", new Dictionary<string, int>(), waiting, [], ["key"],
                spentAlone), limits, spentAlone > 0 ? Start : next[node]);
        }
    }

    private static FairScheduler.Claim? ServeNext(FairScheduler order, List<FairScheduler.Claim> claims)
    {
        if (order.Choose(claims) is not { } best) return null;
        best.Left--;
        order.Serve(best, claims.Exists(claim => claim is { Rank: CallRank.Refresh, Left: > 0 }));
        return best;
    }

    private static FairScheduler.Claim Reads(string team, int count) =>
        new(CallRank.FirstRead, team, IsOurs: true, count);
}

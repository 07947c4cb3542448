using CsCheck;
using Gateway.Jobs;
using Gateway.Upstream;

namespace Gateway.Tests.Upstream;

/// <summary>Compares the queue of waiting calls with a plain list.</summary>
[Trait("Kind", "Unit")]
public sealed class CallQueueTests
{
    private static readonly string[] Teams = ["a", "b", "c"];

    private readonly CallQueue _queue = new();
    private int _jobs;

    [Fact]
    public void The_counts_equal_those_of_a_plain_list_after_any_operations() =>
        Gen.Select(Gen.Int[0, 6], Gen.Int[0, 2], Gen.Int[0, 2], Gen.Int[0, 50]).Array[1, 150].Sample(steps =>
        {
            var (queue, model, jobs) = (new CallQueue(), new List<(CallQueue.Waiter Waiter, List<string> Teams)>(), 0);
            foreach (var (what, rank, team, which) in steps)
            {
                var one = model.Count == 0 ? default : model[which % model.Count];
                switch (what)
                {
                    case 0 or 1:
                        var added = new CallQueue.Waiter((CallRank)rank, Teams[team], Job(jobs++));
                        queue.Add(added);
                        model.Add((added, [Teams[team]]));
                        break;
                    case 2 when one.Waiter is not null:
                        var isNew = !one.Teams.Contains(Teams[team]);
                        if (isNew) one.Teams.Add(Teams[team]);
                        Assert.Equal(isNew, queue.Join(one.Waiter, Teams[team]));
                        break;
                    case 3:
                        var taken = queue.Take((CallRank)rank, Teams[team]);
                        Assert.Equal(model.Exists(IsTheirs), taken is not null);
                        if (taken is not null) Assert.True(IsTheirs(model.Find(entry => entry.Waiter == taken)));
                        model.RemoveAll(entry => entry.Waiter == taken);
                        break;
                    case 4 when one.Waiter is not null:
                        Assert.True(queue.Remove(one.Waiter));
                        Assert.False(queue.Remove(one.Waiter));
                        model.Remove(one);
                        break;
                    case 5:
                        var any = queue.TakeAny();
                        Assert.Equal(model.Count == 0 ? null : model.Min(entry => entry.Waiter.Rank), any?.Rank);
                        model.RemoveAll(entry => entry.Waiter == any);
                        break;
                    case 6 when model.Exists(entry => entry.Waiter.Rank != CallRank.OtherCredential):
                        var surplus = queue.Surplus();
                        Assert.NotEqual(CallRank.OtherCredential, surplus.Rank);
                        Assert.Contains(model, entry => entry.Waiter == surplus);
                        Assert.True(queue.Remove(surplus));
                        model.RemoveAll(entry => entry.Waiter == surplus);
                        break;
                }
                Assert.Equal(model.Count, queue.Count);
                Assert.Equal(model.Select(entry => entry.Waiter.Job.Job).Order(),
                    queue.All.Select(waiter => waiter.Job.Job).Order());
                Assert.Equal(model.SelectMany(entry => entry.Teams).Distinct().Count(), queue.Teams);
                Assert.Equal(
                    model.SelectMany(entry => entry.Teams.Select(name => (entry.Waiter.Rank, name))).CountBy(key => key)
                        .OrderBy(group => group.Key),
                    queue.Report().Select(calls => KeyValuePair.Create((calls.Rank, calls.Team), calls.Count))
                        .OrderBy(group => group.Key));

                bool IsTheirs((CallQueue.Waiter Waiter, List<string> Teams) entry) =>
                    entry.Waiter.Rank == (CallRank)rank && entry.Teams.Contains(Teams[team]);
            }
        });

    [Fact]
    public void The_oldest_call_of_a_rank_and_team_is_taken_first()
    {
        CallQueue.Waiter[] reads = [.. Enumerable.Range(0, 5).Select(_ => Add("a"))];
        var other = Add("b");
        _queue.Remove(reads[2]);
        Assert.Equal([reads[0], reads[1], reads[3], reads[4], null],
            Enumerable.Range(0, 5).Select(_ => _queue.Take(CallRank.FirstRead, "a")));
        Assert.Equal(other, _queue.Take(CallRank.FirstRead, "b"));
    }

    [Theory]
    [InlineData("a", "b")]
    [InlineData("b", "a")]
    public void A_call_that_waits_for_two_teams_is_taken_once(string first, string then)
    {
        var waiter = Add("a");
        Assert.True(_queue.Join(waiter, "b"));
        Assert.False(_queue.Join(waiter, "b"));
        Assert.Equal(1, _queue.Count);
        Assert.Equal(waiter, _queue.Take(CallRank.FirstRead, first));
        Assert.Null(_queue.Take(CallRank.FirstRead, then));
        Assert.Equal((0, 0), (_queue.Count, _queue.Report().Length));
    }

    [Fact]
    public void A_waiting_call_is_found_by_its_job()
    {
        var waiter = Add("a");
        Assert.Equal(waiter, _queue.Find(waiter.Job));
        Assert.Null(_queue.Find(Job(999)));
    }

    [Fact]
    public void Surplus_is_the_newest_call_of_the_largest_team_and_a_refresh_before_a_first_read()
    {
        for (var i = 0; i < 3; i++) Add("b");
        var read = Add("a");
        Add("a", CallRank.Refresh);
        Add("a", CallRank.Refresh);
        var newest = Add("a", CallRank.Refresh);
        Add("a", CallRank.OtherCredential);
        Add("b", CallRank.OtherCredential);
        Add("b", CallRank.OtherCredential);
        Assert.Equal(newest, _queue.Surplus());
        while (_queue.Take(CallRank.Refresh, "a") is not null) { }
        for (var i = 0; i < 3; i++) Add("a");
        var last = Add("a");
        Assert.Equal(last, _queue.Surplus());
        Assert.NotEqual(read, _queue.Surplus());
    }

    private CallQueue.Waiter Add(string team, CallRank rank = CallRank.FirstRead)
    {
        var waiter = new CallQueue.Waiter(rank, team, Job(_jobs++));
        _queue.Add(waiter);
        return waiter;
    }

    private static JobAddress Job(int number)
    {
        Assert.True(JobAddress.TryCreate("survey-1", $"job-{number:0000}", out var address));
        return address;
    }
}

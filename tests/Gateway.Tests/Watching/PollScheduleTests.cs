using CsCheck;
using Gateway.Caching;
using Gateway.Watching;

namespace Gateway.Tests.Watching;

/// <summary>The order of polls, for any rates of change.</summary>
[Trait("Kind", "Unit")]
public sealed class PollScheduleTests
{
    private static readonly DateTimeOffset Start = new(2030, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private static readonly TimeSpan Step = TimeSpan.FromSeconds(0.1);

    [Fact]
    public void Each_of_N_jobs_is_polled_with_one_of_the_next_2N_polls() =>
        Gen.Select(Gen.Double[-6, 1].Select(power => Math.Pow(10, power)).Array[1, 60], Gen.Int[1, 3])
            .Sample((rates, times) =>
        {
            var last = new int[rates.Length];
            Run(rates, 6 * times * rates.Length, (job, i) =>
            {
                Assert.InRange(i - last[job], 0, 2 * rates.Length + 1);
                last[job] = i;
            });
        }, iter: 200);

    [Fact]
    public void A_job_is_polled_in_proportion_to_the_square_root_of_its_rate()
    {
        // The rates differ so little that no job has to go out because it was passed over for too long.
        double[] rates = [.. Enumerable.Range(0, 40).Select(i => i % 2 == 0 ? 0.01 : 0.04)];
        var counts = new int[rates.Length];

        Run(rates, 20_000, (job, _) => counts[job]++);

        var slow = counts.Where((_, job) => job % 2 == 0).Average();
        var quick = counts.Where((_, job) => job % 2 == 1).Average();
        // Estimates of the rates vary, which brings the frequencies closer together.
        Assert.InRange(quick / slow, 1.5, 2.2);
    }

    [Fact]
    public void A_job_that_was_never_looked_at_goes_first()
    {
        var schedule = new PollSchedule();
        var polls = Polls([5, 5, 5]);
        foreach (var poll in polls) schedule.Add(poll, ["a"]);
        var unknown = new ScheduledPoll(new JobOutlook(UsualRates.Unknown));
        schedule.Add(unknown, ["a"]);

        Assert.Equal(unknown, schedule.Take("a", Start + TimeSpan.FromMinutes(1)));
    }

    [Fact]
    public void A_job_that_is_about_to_end_goes_before_one_that_has_just_started()
    {
        var schedule = new PollSchedule();
        var (young, old) = (new JobOutlook(0.001), new JobOutlook(0.001));
        var now = Start + TimeSpan.FromMinutes(10);
        young.Note(now, hasChanged: false, ExpectedEnd.Of(now, now + TimeSpan.FromMinutes(10), 0.1));
        old.Note(now, hasChanged: false, ExpectedEnd.Of(Start, now, 0.1));
        ScheduledPoll[] polls = [new(young), new(old)];
        foreach (var poll in polls) schedule.Add(poll, ["a"]);

        Assert.Equal(polls[1], schedule.Take("a", now + Step));
    }

    [Fact]
    public void A_job_that_several_teams_watch_goes_out_at_the_turn_of_any_of_them_and_once()
    {
        var schedule = new PollSchedule();
        var poll = Polls([1])[0];
        Assert.True(schedule.Add(poll, ["a"]));
        Assert.True(schedule.Add(poll, ["a", "b"]));
        Assert.False(schedule.Add(poll, ["a", "b"]));
        Assert.Equal(["a 1", "b 1"], schedule.Report().Select(calls => $"{calls.Team} {calls.Count}"));

        Assert.Equal(poll, schedule.Take("b", Start + Step));

        Assert.Null(schedule.Take("a", Start + Step));
        Assert.Equal(0, schedule.Count);
        Assert.Empty(schedule.Report());
    }

    [Fact]
    public void A_job_that_is_added_again_while_it_waits_keeps_its_place()
    {
        var polls = Polls([1e-6, 1, 1, 1, 1]);
        var schedule = new PollSchedule();
        var taken = 0;
        for (var now = Start + Step; taken < 20; now += Step)
        {
            foreach (var poll in polls) schedule.Add(poll, ["a"]);
            taken++;
            var next = schedule.Take("a", now)!;
            if (next == polls[0]) break;
            next.Outlook.Note(now, hasChanged: false, end: null);
        }
        Assert.InRange(taken, 1, 2 * polls.Length);
    }

    private static ScheduledPoll[] Polls(double[] rates) => [.. rates.Select(rate =>
    {
        var outlook = new JobOutlook(rate);
        outlook.Note(Start, hasChanged: false, end: null);
        return new ScheduledPoll(outlook);
    })];

    // Each job changes at random, with its rate.
    private static void Run(double[] rates, int count, Action<int, int> polled)
    {
        var (schedule, polls, random, now) = (new PollSchedule(), Polls(rates), new Random(1), Start);
        foreach (var poll in polls) schedule.Add(poll, ["a"]);
        for (var i = 1; i <= count; i++)
        {
            now += Step;
            var poll = schedule.Take("a", now)!;
            var job = Array.IndexOf(polls, poll);
            var mean = rates[job] * (now - poll.Outlook.LastLook!.Value).TotalSeconds;
            poll.Outlook.Note(now, hasChanged: random.NextDouble() > Math.Exp(-mean), end: null);
            polled(job, i);
            schedule.Add(poll, ["a"]);
        }
    }
}

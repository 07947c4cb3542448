using Gateway.Caching;
using Gateway.Watching;

namespace Gateway.Tests.Watching;

/// <summary>
/// Compares the schedule of polls with equal spacing, for a hundred jobs and a budget that is too small for all of
/// them. <c>docs/watching.md</c> states the result.
/// </summary>
[Trait("Kind", "Unit")]
public sealed class PollSimulationTests(ITestOutputHelper output)
{
    private const int Jobs = 100, Earlier = 8;

    // A snapshot is fresh for this time.
    private const double Lifetime = 2;

    private static readonly DateTimeOffset Zero = new(2030, 1, 1, 0, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData(1.0, 1.2, 1.2)]
    [InlineData(2.0, 1.35, 1.2)]
    [InlineData(4.0, 1.35, 1.25)]
    public void Changes_are_noticed_sooner_than_with_equal_spacing(double perSecond, double least, double leastOfEnds)
    {
        var (all, ends) = (new List<double>(), new List<double>());
        for (var seed = 1; seed <= 5; seed++)
        {
            var random = new Random(seed);
            var lessons = JobHistories.Shapes.ToDictionary(shape => shape, shape => Learn([.. Enumerable
                .Range(0, Earlier).Select(_ => JobHistories.Generate(shape, 0, random))]));
            JobHistories.History[] histories = [.. Enumerable.Range(0, Jobs)
                .Select(i => JobHistories.Generate(JobHistories.Shapes[i % JobHistories.Shapes.Length], 900, random))];

            var equal = Run(histories, lessons, perSecond, isEqual: true);
            var scheduled = Run(histories, lessons, perSecond, isEqual: false);

            all.Add(equal.Delay / scheduled.Delay);
            ends.Add(equal.DelayOfEnd / scheduled.DelayOfEnd);
            output.WriteLine(
                $"{perSecond}/s, seed {seed}: changes {equal.Delay:0.0} s and {scheduled.Delay:0.0} s, ends "
                + $"{equal.DelayOfEnd:0.0} s and {scheduled.DelayOfEnd:0.0} s");
            Assert.InRange(scheduled.MostPassedOver, 0, 2.1 * Jobs);
        }
        output.WriteLine($"{perSecond}/s: changes {all.Average():0.00}, ends {ends.Average():0.00}");
        Assert.InRange(all.Average(), least, 10);
        Assert.InRange(ends.Average(), leastOfEnds, 10);
    }

    // What earlier jobs of the workflow tell about the next one.
    private static Lesson Learn(JobHistories.History[] earlier)
    {
        double[] durations = [.. earlier.Select(job => job.Duration).Order()];
        var rate = earlier.Sum(job => job.Changes.Length) / durations.Sum();
        return new Lesson(rate, durations[durations.Length / 2],
            ExpectedEnd.SpreadOf(durations.Select(TimeSpan.FromSeconds)));
    }

    private static Result Run(
        JobHistories.History[] histories, Dictionary<string, Lesson> lessons, double perSecond, bool isEqual)
    {
        var jobs = histories.OrderBy(history => history.Start)
            .Select(history => new WatchedJob(history, lessons[history.Shape])).ToList();
        var schedule = new PollSchedule();
        var (delays, ends, mostPassedOver, polls) = (new List<double>(), new List<double>(), 0, 0);
        for (var now = 0.0; jobs.Count > 0; now += 1 / perSecond)
        {
            foreach (var job in jobs.TakeWhile(job => job.History.Start <= now))
            {
                if (now >= job.DueAt) schedule.Add(job.Poll, ["team"]);
            }
            var polled = isEqual ? Oldest(schedule) : schedule.Take("team", At(now));
            if (polled is null) continue;
            if (isEqual) schedule.Remove(polled);
            var looked = jobs.Find(job => job.Poll == polled)!;
            if (looked.PolledAt is { } before) mostPassedOver = Math.Max(mostPassedOver, polls - before);
            looked.PolledAt = polls++;
            var changes = looked.LookAt(now);
            delays.AddRange(changes);
            if (!looked.HasEnded) continue;
            ends.Add(changes[^1]);
            jobs.Remove(looked);
        }
        return new Result(delays.Average(), ends.Average(), mostPassedOver);
    }

    // Equal spacing: each poll goes to the job that was not looked at for the longest time.
    private static ScheduledPoll? Oldest(PollSchedule schedule) =>
        schedule.All.MinBy(poll => poll.Outlook.LastLook ?? DateTimeOffset.MinValue);

    private static DateTimeOffset At(double seconds) => Zero.AddSeconds(seconds);

    private sealed record Lesson(double Rate, double Duration, double Spread);

    private sealed record Result(double Delay, double DelayOfEnd, int MostPassedOver);

    private sealed class WatchedJob(JobHistories.History history, Lesson lesson)
    {
        private int _seen;

        public JobHistories.History History => history;

        public ScheduledPoll Poll { get; } = new(new JobOutlook(lesson.Rate));

        public double DueAt { get; private set; } = history.Start;

        public int? PolledAt { get; set; }

        public bool HasEnded => _seen == history.Changes.Length;

        /// <returns>The delay of each change that is noticed now.</returns>
        public List<double> LookAt(double now)
        {
            var first = _seen;
            while (!HasEnded && history.Changes[_seen] <= now - history.Start) _seen++;
            var end = ExpectedEnd.Of(
                At(history.Start), At(history.Start + lesson.Duration), lesson.Spread);
            Poll.Outlook.Note(At(now), _seen > first, end);
            DueAt = now + Lifetime;
            return [.. history.Changes[first.._seen].Select(change => now - history.Start - change)];
        }
    }
}

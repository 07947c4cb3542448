namespace Gateway.Tests.Watching;

/// <summary>
/// Generates histories of jobs, as they are recorded of real ones: when a job starts, and when its representation
/// changes. The last change is its end. Times are seconds.
/// </summary>
internal static class JobHistories
{
    public static readonly string[] Shapes = ["short", "long", "bursts", "quiet", "tasks"];

    /// <param name="Shape">The shape, which is the workflow of the job.</param>
    /// <param name="Start">When the job starts.</param>
    /// <param name="Changes">The time of each change after the start, in order.</param>
    internal sealed record History(string Shape, double Start, double[] Changes)
    {
        public double Duration => Changes[^1];
    }

    /// <summary>Generates the history of one job.</summary>
    /// <param name="latestStart">The job starts between 0 and this time.</param>
    public static History Generate(string shape, double latestStart, Random random)
    {
        var start = random.NextDouble() * latestStart;
        // Each job is queued for a few seconds.
        var running = Exponential(5);
        var (end, changes) = shape switch
        {
            // A minute, with six steps of progress.
            "short" => Regular(LogNormal(60, 0.3), steps: 6, jitter: 0.1),
            // An hour, with a step of progress every two to three minutes.
            "long" => Regular(LogNormal(3600, 0.3), steps: 25, jitter: 0.01),
            // Half an hour, with three bursts of 25 steps.
            "bursts" => Bursts(LogNormal(1800, 0.2), bursts: 3, steps: 25, between: 6),
            // 40 minutes in which nothing happens.
            "quiet" => (LogNormal(2400, 0.15), []),
            // Ten minutes, in which 30 tasks finish one by one.
            "tasks" => Tasks(LogNormal(600, 0.2), tasks: 30),
            _ => throw new ArgumentException($"'{shape}' is no shape", nameof(shape)),
        };
        double[] all = [running, .. changes.Where(change => change > running && change < end).Order(), end];
        return new History(shape, start, running < end ? all : [end]);

        (double, List<double>) Regular(double end, int steps, double jitter) => (end,
            [
                .. Enumerable.Range(1, steps - 1)
                    .Select(i => end * i / steps * (1 + jitter * (2 * random.NextDouble() - 1))),
            ]);

        (double, List<double>) Bursts(double end, int bursts, int steps, double between)
        {
            var changes = new List<double>();
            for (var burst = 0; burst < bursts; burst++)
            {
                var at = random.NextDouble() * 0.9 * end;
                for (var step = 0; step < steps; step++) changes.Add(at += Exponential(between));
            }
            return (end, changes);
        }

        (double, List<double>) Tasks(double end, int tasks) =>
            (end, [.. Enumerable.Range(0, tasks).Select(_ => random.NextDouble() * end)]);

        double Exponential(double mean) => -mean * Math.Log(1 - random.NextDouble());

        double LogNormal(double median, double spread)
        {
            var normal = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble()))
                * Math.Cos(2 * Math.PI * random.NextDouble());
            return median * Math.Exp(spread * normal);
        }
    }
}

using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.Cluster;

/// <summary>Records the requests during one fault of Redis, and asserts their results.</summary>
internal sealed class MoodTally(string mood)
{
    /// <summary>The upstream's delay for a slow job.</summary>
    public static readonly TimeSpan SlowUpstream = TimeSpan.FromMilliseconds(200);

    /// <summary>How long requests wait for Redis (the default).</summary>
    public static readonly TimeSpan Timeout = TimeSpan.FromMilliseconds(100);

    // The time for everything else; delays of the machine are added to it.
    private static readonly TimeSpan Work = TimeSpan.FromMilliseconds(400);

    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(20);

    private readonly ConcurrentQueue<Answer> _answers = new();
    private int[] _lines = [];
    private TimeSpan _lasted;
    private int _wrong;
    private TimeSpan _machineLate;

    /// <summary>How a request is answered without a fault.</summary>
    public enum Kind
    {
        /// <summary>From this node's memory.</summary>
        Memory,

        /// <summary>By one call to a fast upstream, or from Redis.</summary>
        Other,

        /// <summary>By one call to a slow upstream, which another node may have started.</summary>
        Slow,
    }

    public IEnumerable<string> Jobs => _answers.Select(answer => answer.Job).Distinct();

    public void Add(Kind kind, string job, HttpStatusCode status, byte[] body, TimeSpan took) =>
        _answers.Enqueue(new Answer(kind, job, status, body, took));

    /// <summary>Counts the answers that differ from the upstream's body.</summary>
    public void Compare(string job, byte[] body) =>
        _wrong += _answers.Count(answer => answer.Job == job && answer.Status == HttpStatusCode.OK
            && !answer.Body.AsSpan().SequenceEqual(body));

    public void Logged(IEnumerable<int> lines, TimeSpan lasted) => (_lines, _lasted) = ([.. lines], lasted);

    /// <summary>Measures the largest delay of this process, which the bounds allow for.</summary>
    public async Task WatchClockAsync(CancellationToken end)
    {
        while (!end.IsCancellationRequested)
        {
            var began = Stopwatch.GetTimestamp();
            await Task.Delay(Tick, CancellationToken.None);
            var late = Stopwatch.GetElapsedTime(began) - Tick;
            if (late > _machineLate) _machineLate = late;
        }
    }

    /// <summary>Appends a row to the table if one is requested.</summary>
    public void Write(TimeSpan recovery)
    {
        var row = string.Join('\t', mood, _answers.Count, _wrong, ServerErrors, Worst(Kind.Memory), Worst(Kind.Other),
            Worst(Kind.Slow), Milliseconds(_machineLate), $"{string.Join('+', _lines)} in {Seconds(_lasted)}",
            Seconds(recovery));
        TestContext.Current.TestOutputHelper?.WriteLine(row);
        if (Environment.GetEnvironmentVariable("GATEWAY_MOODS_TABLE") is { Length: > 0 } table)
            File.AppendAllText(table, row + "\n");
    }

    public void AssertResults(TimeSpan recovery, TimeSpan longestRecovery)
    {
        Assert.All(Enum.GetValues<Kind>(), kind => Assert.Contains(_answers, answer => answer.Kind == kind));
        Assert.Equal(0, ServerErrors);
        Assert.DoesNotContain(_answers, answer => answer.Status != HttpStatusCode.OK);
        Assert.Equal(0, _wrong);
        AssertPrompt(Kind.Memory, Work);
        AssertPrompt(Kind.Other, Timeout + Work);
        // If the other node cannot share its fetch, this node fetches afterwards.
        AssertPrompt(Kind.Slow, 2 * SlowUpstream + Timeout + Work);
        Assert.All(_lines, lines => Assert.InRange(lines, 0, (int)_lasted.TotalSeconds + 2));
        Assert.InRange(recovery, TimeSpan.Zero, longestRecovery + Promptness.Grace);
    }

    private int ServerErrors => _answers.Count(answer => (int)answer.Status >= 500);

    private void AssertPrompt(Kind kind, TimeSpan bound) =>
        Promptness.AssertWithin(bound + _machineLate, _answers.Where(answer => answer.Kind == kind),
            answer => answer.Took);

    private string Worst(Kind kind) =>
        Milliseconds(_answers.Where(answer => answer.Kind == kind).Select(answer => answer.Took)
            .DefaultIfEmpty().Max());

    private static string Milliseconds(TimeSpan time) =>
        time.TotalMilliseconds.ToString("F0", CultureInfo.InvariantCulture);

    private static string Seconds(TimeSpan time) => time.TotalSeconds.ToString("F1", CultureInfo.InvariantCulture);

    private sealed record Answer(Kind Kind, string Job, HttpStatusCode Status, byte[] Body, TimeSpan Took)
    {
        public override string ToString() => $"{Kind}: {Job} took {Milliseconds(Took)} ms";
    }
}

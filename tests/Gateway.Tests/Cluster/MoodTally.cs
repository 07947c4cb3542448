using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.Cluster;

/// <summary>What was asked in one mood of Redis, what came of it, and whether that is good enough.</summary>
internal sealed class MoodTally(string mood)
{
    /// <summary>How long the upstream takes for a slow job.</summary>
    public static readonly TimeSpan SlowUpstream = TimeSpan.FromMilliseconds(200);

    /// <summary>How long requests wait for Redis; it is the default.</summary>
    public static readonly TimeSpan Timeout = TimeSpan.FromMilliseconds(100);

    // What all else takes; how late the machine was by its own clock is granted on top.
    private static readonly TimeSpan Work = TimeSpan.FromMilliseconds(400);

    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(20);

    private readonly ConcurrentQueue<Answer> _answers = new();
    private int[] _lines = [];
    private TimeSpan _lasted;
    private int _wrong;
    private TimeSpan _machineLate;

    /// <summary>How a request is answered where all is well.</summary>
    public enum Kind
    {
        /// <summary>Out of this node's memory.</summary>
        Memory,

        /// <summary>By one call to a quick upstream, or out of Redis.</summary>
        Other,

        /// <summary>By one call to a slow upstream, which another node may have begun already.</summary>
        Slow,
    }

    public IEnumerable<string> Jobs => _answers.Select(answer => answer.Job).Distinct();

    public void Add(Kind kind, string job, HttpStatusCode status, byte[] body, TimeSpan took) =>
        _answers.Enqueue(new Answer(kind, job, status, body, took));

    /// <summary>Counts the answers that differ from what the upstream has.</summary>
    public void Compare(string job, byte[] body) =>
        _wrong += _answers.Count(answer => answer.Job == job && answer.Status == HttpStatusCode.OK && !answer.Body.AsSpan().SequenceEqual(body));

    public void Logged(IEnumerable<int> lines, TimeSpan lasted) => (_lines, _lasted) = ([.. lines], lasted);

    /// <summary>Measures by how much this process is late at times, which is nobody's fault.</summary>
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

    /// <summary>Adds a row to the table, if there is to be one.</summary>
    public void Write(TimeSpan recovery)
    {
        var row = string.Join('\t', mood, _answers.Count, _wrong, ServerErrors, Worst(Kind.Memory), Worst(Kind.Other),
            Worst(Kind.Slow), Milliseconds(_machineLate), $"{string.Join('+', _lines)} in {Seconds(_lasted)}", Seconds(recovery));
        TestContext.Current.TestOutputHelper?.WriteLine(row);
        if (Environment.GetEnvironmentVariable("GATEWAY_MOODS_TABLE") is { Length: > 0 } table) File.AppendAllText(table, row + "\n");
    }

    public void Judge(TimeSpan recovery, TimeSpan longestRecovery)
    {
        Assert.All(Enum.GetValues<Kind>(), kind => Assert.Contains(_answers, answer => answer.Kind == kind));
        Assert.Equal(0, ServerErrors);
        Assert.DoesNotContain(_answers, answer => answer.Status != HttpStatusCode.OK);
        Assert.Equal(0, _wrong);
        AssertPrompt(Kind.Memory, Work);
        AssertPrompt(Kind.Other, Timeout + Work);
        // Where the other node cannot hand over what it fetched, this one fetches for itself afterwards.
        AssertPrompt(Kind.Slow, 2 * SlowUpstream + Timeout + Work);
        Assert.All(_lines, lines => Assert.InRange(lines, 0, (int)_lasted.TotalSeconds + 2));
        Assert.InRange(recovery, TimeSpan.Zero, longestRecovery + Promptness.Grace);
    }

    private int ServerErrors => _answers.Count(answer => (int)answer.Status >= 500);

    private void AssertPrompt(Kind kind, TimeSpan bound) =>
        Promptness.AssertWithin(bound + _machineLate, _answers.Where(answer => answer.Kind == kind), answer => answer.Took);

    private string Worst(Kind kind) =>
        Milliseconds(_answers.Where(answer => answer.Kind == kind).Select(answer => answer.Took).DefaultIfEmpty().Max());

    private static string Milliseconds(TimeSpan time) => time.TotalMilliseconds.ToString("F0", CultureInfo.InvariantCulture);

    private static string Seconds(TimeSpan time) => time.TotalSeconds.ToString("F1", CultureInfo.InvariantCulture);

    private sealed record Answer(Kind Kind, string Job, HttpStatusCode Status, byte[] Body, TimeSpan Took)
    {
        public override string ToString() => $"{Kind}: {Job} took {Milliseconds(Took)} ms";
    }
}

using System.Collections.Concurrent;

namespace Gateway.Soak;

/// <summary>The answers that callers received since the last sample.</summary>
/// <param name="Answers">Number of answers by kind of caller and status; 0 means no answer.</param>
/// <param name="HitTimes">Time of each hit in milliseconds, sorted.</param>
internal sealed record Counted(Dictionary<(string Kind, int Status), long> Answers, double[] HitTimes)
{
    public long Requests => Answers.Values.Sum();

    public long ServerErrors =>
        Answers.Where(answer => answer.Key.Status >= 500).Sum(answer => answer.Value);

    /// <summary>Missing answers of callers that neither disconnected nor were refused.</summary>
    public long Unanswered => Answers
        .Where(answer => answer.Key is { Status: 0, Kind: not "abort" and not "hog" }).Sum(answer => answer.Value);

    public double Quantile(double share) => HitTimes.Length == 0 ? 0 : HitTimes[(int)((HitTimes.Length - 1) * share)];
}

/// <summary>Counts the answers of callers. Thread-safe.</summary>
internal sealed class Tally
{
    private readonly ConcurrentDictionary<(string Kind, int Status), long> _answers = new();
    private readonly ConcurrentQueue<string> _notes = new();
    private ConcurrentBag<double> _hitTimes = [];

    /// <summary>The disturbances and failures, in order.</summary>
    public IEnumerable<string> Notes => _notes;

    /// <summary>States of a job that were seen after a later state of the same job.</summary>
    public long WentBack { get; private set; }

    /// <summary>Ends of jobs that were seen too late.</summary>
    public long SeenLate { get; private set; }

    public void Answered(string kind, int status) => _answers.AddOrUpdate((kind, status), 1, (_, count) => count + 1);

    public void Hit(int status, TimeSpan time)
    {
        Answered("hit", status);
        Volatile.Read(ref _hitTimes).Add(time.TotalMilliseconds);
    }

    public void Note(string note)
    {
        if (_notes.Count < 10_000) _notes.Enqueue(string.Create(null, $"{DateTimeOffset.UtcNow:HH:mm:ss.f} {note}"));
    }

    public void JobWentBack(string job)
    {
        lock (_notes) WentBack++;
        Note($"{job} went back");
    }

    public void JobSeenLate(string job, TimeSpan late)
    {
        lock (_notes) SeenLate++;
        Note($"the end of {job} was seen {late.TotalSeconds:0.0} s late");
    }

    /// <summary>Returns the counts, and starts again from zero.</summary>
    public Counted Take()
    {
        var answers = new Dictionary<(string Kind, int Status), long>();
        foreach (var key in _answers.Keys)
        {
            if (_answers.TryRemove(key, out var count)) answers[key] = count;
        }
        return new Counted(answers, [.. Interlocked.Exchange(ref _hitTimes, []).Order()]);
    }
}

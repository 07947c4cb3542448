using Gateway.Caching;

namespace Gateway.Watching;

/// <summary>How likely a watched job has changed since the last look at it. Not safe for several threads.</summary>
/// <param name="usualRate">The usual number of changes in a second.</param>
internal sealed class JobOutlook(double usualRate)
{
    private readonly ChangeRate _rate = new(usualRate);
    private ExpectedEnd? _end;

    /// <summary>When the job was looked at last, on any node; null if it was not.</summary>
    public DateTimeOffset? LastLook { get; private set; }

    /// <summary>Notes a look at the job.</summary>
    /// <param name="at">When the upstream gave the answer.</param>
    /// <param name="hasChanged">Whether the answer differs from the one before.</param>
    /// <param name="end">When the job is expected to end; null if that is unknown.</param>
    public void Note(DateTimeOffset at, bool hasChanged, ExpectedEnd? end)
    {
        if (LastLook is { } last && at > last) _rate.Note(at - last, hasChanged);
        if (LastLook is null || at > LastLook) LastLook = at;
        _end = end;
    }

    /// <summary>Notes a look at the job that brought no answer.</summary>
    public void NoteFailure(DateTimeOffset at) => LastLook = at > LastLook || LastLook is null ? at : LastLook;

    /// <summary>The number of changes that are expected in a second.</summary>
    public double RateAt(DateTimeOffset now) => _rate.Value + (_end?.RateAt(now) ?? 0);

    /// <summary>
    /// The time by which a look at the job reduces the delays of changes. The expected number of changes since the last
    /// look grows with the time, and so does the delay of each. If the job with the greatest gain is looked at next,
    /// each job is looked at in proportion to the square root of its rate, which makes the mean delay least.
    /// </summary>
    /// <returns>Infinity if the job was not looked at, because its watchers know nothing about it.</returns>
    public double GainAt(DateTimeOffset now)
    {
        if (LastLook is not { } last) return double.PositiveInfinity;
        var age = Math.Max(0, (now - last).TotalSeconds);
        return RateAt(now) * age * age;
    }
}

using Gateway.Jobs;

namespace Gateway.Drift;

/// <summary>A finding, with the times and the last job in which it was seen.</summary>
/// <param name="Count">The number of jobs in which it was seen.</param>
internal sealed record SeenFinding(
    Finding Finding, DateTimeOffset FirstSeen, DateTimeOffset LastSeen, long Count, JobAddress LastSeenIn);

/// <summary>The findings of this node since it started.</summary>
internal sealed class DriftBook
{
    private const int MaxFindings = 100;

    private readonly Lock _lock = new();
    private readonly Dictionary<Finding, SeenFinding> _seen = [];
    private readonly long[] _checks = new long[Enum.GetValues<CheckOutcome>().Length];
    private long _more;

    public DriftBook(DriftMetrics metrics) => metrics.ObserveChecks(CountOf);

    /// <summary>How often a finding was dropped because the list was full.</summary>
    public long More => Interlocked.Read(ref _more);

    /// <summary>The findings, newest first.</summary>
    public IReadOnlyList<SeenFinding> Seen
    {
        get
        {
            lock (_lock)
            {
                return [.. _seen.Values.OrderByDescending(seen => seen.FirstSeen)
                    .ThenBy(seen => seen.Finding.Pointer, StringComparer.Ordinal)
                    .ThenBy(seen => seen.Finding.Kind, StringComparer.Ordinal)];
            }
        }
    }

    public long CountOf(CheckOutcome outcome) => Interlocked.Read(ref _checks[(int)outcome]);

    /// <returns>The number of checks with this outcome so far.</returns>
    public long Count(CheckOutcome outcome) => Interlocked.Increment(ref _checks[(int)outcome]);

    /// <returns>The number of jobs with this finding so far; 0 if the list is full.</returns>
    public long Note(Finding finding, JobAddress seenIn, DateTimeOffset now)
    {
        lock (_lock)
        {
            if (!_seen.TryGetValue(finding, out var seen))
            {
                if (_seen.Count == MaxFindings)
                {
                    Interlocked.Increment(ref _more);
                    return 0;
                }
                seen = new SeenFinding(finding, now, now, 0, seenIn);
            }
            _seen[finding] = seen with { LastSeen = now, Count = seen.Count + 1, LastSeenIn = seenIn };
            return seen.Count + 1;
        }
    }
}

/// <summary>The outcome of checking a job that the upstream sent.</summary>
internal enum CheckOutcome
{
    Checked,

    /// <summary>The limit of checks per second was reached.</summary>
    SampledOut,

    /// <summary>The body is too large to be checked.</summary>
    TooLarge,

    /// <summary>Too many jobs were waiting for a check.</summary>
    Busy,

    /// <summary>The check itself failed.</summary>
    Failed,
}

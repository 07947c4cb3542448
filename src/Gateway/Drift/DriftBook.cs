using Gateway.Jobs;

namespace Gateway.Drift;

/// <summary>A finding, and when and where it was met.</summary>
/// <param name="Count">The jobs in which it was.</param>
internal sealed record SeenFinding(
    Finding Finding, DateTimeOffset FirstSeen, DateTimeOffset LastSeen, long Count, JobAddress LastSeenIn);

/// <summary>What this node has found since it started.</summary>
internal sealed class DriftBook
{
    private const int MaxFindings = 100;

    private readonly Lock _lock = new();
    private readonly Dictionary<Finding, SeenFinding> _seen = [];
    private readonly long[] _checks = new long[Enum.GetValues<CheckOutcome>().Length];
    private long _more;

    public DriftBook(DriftMetrics metrics) => metrics.ObserveChecks(CountOf);

    /// <summary>How often something was found for which there was no room.</summary>
    public long More => Interlocked.Read(ref _more);

    /// <summary>The newest first.</summary>
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

    /// <returns>How often it came to this so far.</returns>
    public long Count(CheckOutcome outcome) => Interlocked.Increment(ref _checks[(int)outcome]);

    /// <returns>In how many jobs it was so far; 0: there is no room for it.</returns>
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

/// <summary>What became of a job that the upstream sent.</summary>
internal enum CheckOutcome
{
    Checked,

    /// <summary>There were enough in this second.</summary>
    SampledOut,

    /// <summary>It is larger than what is checked.</summary>
    TooLarge,

    /// <summary>Others were waiting already.</summary>
    Busy,

    /// <summary>The check ended in an error of its own.</summary>
    Failed,
}

namespace Gateway.Watching;

/// <summary>
/// Estimates how often a job changes, from what polls have seen. Older polls count half as much with each new one, so
/// that a burst of changes is noticed soon, and its end as well. At first the rate is the usual one.
/// </summary>
/// <param name="usual">The usual number of changes in a second, above 0.</param>
internal sealed class ChangeRate(double usual)
{
    // How much a poll counts after the next one.
    private const double Memory = 0.5;

    private double _changes, _seconds;

    /// <summary>The number of changes in a second.</summary>
    public double Value => (1 + _changes) / (1 / usual + _seconds);

    /// <summary>Notes what a poll has seen.</summary>
    /// <param name="since">The time since the last poll.</param>
    public void Note(TimeSpan since, bool hasChanged)
    {
        var changes = hasChanged ? ExpectedChanges(Value * since.TotalSeconds) : 0;
        _changes = _changes * Memory + changes;
        _seconds = _seconds * Memory + since.TotalSeconds;
    }

    /// <summary>
    /// Returns how many changes are expected if there was at least one, because a poll sees only the last of them.
    /// </summary>
    /// <param name="mean">The number that is expected if nothing is known.</param>
    public static double ExpectedChanges(double mean) => mean < 1e-6 ? 1 : mean / (1 - Math.Exp(-mean));
}

namespace Gateway.Upstream;

/// <summary>
/// When callers who were turned away may come again: one after the other, as the budget allows, and within a minute.
/// It is not safe for several threads.
/// </summary>
internal sealed class RetryPromises
{
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(1);

    private readonly Dictionary<string, double> _last = new(StringComparer.Ordinal);

    /// <summary>The next promise to a team.</summary>
    /// <param name="spacing">How much time its share of the budget takes for one call.</param>
    /// <param name="now">In microseconds.</param>
    public TimeSpan Next(string team, TimeSpan spacing, double now)
    {
        foreach (var (other, until) in _last)
        {
            if (until < now) _last.Remove(other);
        }
        var promised = Math.Clamp(_last.GetValueOrDefault(team), now, now + Longest.TotalMicroseconds) + spacing.TotalMicroseconds;
        _last[team] = promised;
        var wait = TimeSpan.FromMicroseconds(promised - now);
        return wait < Longest ? wait : Longest;
    }
}

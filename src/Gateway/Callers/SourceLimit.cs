namespace Gateway.Callers;

/// <summary>
/// A rate limit for each source of requests, by GCRA: so many at once, and then one for each part of a minute that
/// brings one. The table has a fixed size; sources that share a place in it share its limit.
/// </summary>
/// <param name="places">The size of the table, a power of two.</param>
internal sealed class SourceLimit(TimeProvider clock, int places = 16 * 1024)
{
    // For each source the time at which all its permits are back, in ticks; 0: it has taken none.
    private readonly long[] _restored = new long[places];

    /// <summary>Takes one permit of a source.</summary>
    /// <param name="perMinute">The permits of a minute, and the burst; 0: any number.</param>
    /// <param name="retryAfter">Where there is none: the time until there is one.</param>
    public bool TryTake(int source, int perMinute, out TimeSpan retryAfter)
    {
        ref var restored = ref _restored[source & (_restored.Length - 1)];
        while (true)
        {
            var before = Volatile.Read(ref restored);
            if (IsSpent(before, perMinute, out retryAfter)) return false;
            if (perMinute == 0) return true;
            var after = Math.Max(before, Now) + IntervalOf(perMinute);
            if (Interlocked.CompareExchange(ref restored, after, before) == before) return true;
        }
    }

    /// <summary>Whether a source has no permit left.</summary>
    /// <param name="perMinute">The permits of a minute, and the burst; 0: any number.</param>
    /// <param name="retryAfter">Where it has none: the time until it has one.</param>
    public bool IsSpent(int source, int perMinute, out TimeSpan retryAfter)
    {
        retryAfter = default;
        var restored = Volatile.Read(ref _restored[source & (_restored.Length - 1)]);
        return restored != 0 && IsSpent(restored, perMinute, out retryAfter);
    }

    private bool IsSpent(long restored, int perMinute, out TimeSpan retryAfter)
    {
        retryAfter = default;
        if (perMinute == 0) return false;
        var wait = restored - Now - TimeSpan.TicksPerMinute + IntervalOf(perMinute);
        if (wait <= 0) return false;
        retryAfter = TimeSpan.FromTicks(wait);
        return true;
    }

    // Monotonic: it goes on where somebody sets the clock.
    private long Now => clock.GetElapsedTime(0, clock.GetTimestamp()).Ticks;

    // All permits are back within a minute.
    private static long IntervalOf(int perMinute) => TimeSpan.TicksPerMinute / perMinute;
}

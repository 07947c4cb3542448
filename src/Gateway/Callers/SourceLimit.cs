namespace Gateway.Callers;

/// <summary>
/// A rate limit for each source of requests, by GCRA: a burst, and then the same number per minute. The table has a
/// fixed size; sources with the same slot share a limit.
/// </summary>
/// <param name="places">The size of the table, a power of two.</param>
internal sealed class SourceLimit(TimeProvider clock, int places = 16 * 1024)
{
    // The time at which all permits of a source are restored, in ticks; 0 if it has taken none.
    private readonly long[] _restored = new long[places];

    /// <summary>Takes one permit of a source.</summary>
    /// <param name="perMinute">The permits of a minute, and the burst; 0 for no limit.</param>
    /// <param name="retryAfter">The time until a permit is restored, if there is none.</param>
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
    /// <param name="perMinute">The permits of a minute, and the burst; 0 for no limit.</param>
    /// <param name="retryAfter">The time until a permit is restored, if there is none.</param>
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

    // Monotonic time, which is not affected when the wall clock is set.
    private long Now => clock.GetElapsedTime(0, clock.GetTimestamp()).Ticks;

    private static long IntervalOf(int perMinute) => TimeSpan.TicksPerMinute / perMinute;
}

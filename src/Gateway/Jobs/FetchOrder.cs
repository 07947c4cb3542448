namespace Gateway.Jobs;

/// <summary>
/// Orders fetches by when they began, in microseconds since 1970. Redis gives out the numbers, by its own clock; a node
/// without one goes by its own, corrected by what it last saw of Redis's.
/// </summary>
internal sealed class FetchOrder(TimeProvider clock)
{
    private long _ahead;
    private long _last;

    /// <summary>Notes what time it is for Redis.</summary>
    public void Follow(long redis) => Interlocked.Exchange(ref _ahead, redis - Own);

    /// <summary>A number greater than any given here before, and than <paramref name="known"/>.</summary>
    public long Next(long known)
    {
        while (true)
        {
            var last = Interlocked.Read(ref _last);
            var next = Math.Max(Own + Interlocked.Read(ref _ahead), Math.Max(last, known) + 1);
            if (Interlocked.CompareExchange(ref _last, next, last) == last) return next;
        }
    }

    private long Own => (clock.GetUtcNow() - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;
}

using Gateway.Runtime;

namespace Gateway.Redis;

/// <summary>
/// Numbers fetches and purges by their start, in microseconds since 1970. Redis gives out the numbers by its own clock.
/// A node without Redis uses its own clock, corrected by the last reading of Redis's clock. Because that correction is
/// inexact, a fetch gets a slightly older number and a purge a slightly newer one. An answer that was fetched before a
/// purge then never counts as newer than the purge.
/// </summary>
internal sealed class FetchOrder(SteadyClock clock)
{
    // Numbers may be ahead of the clock by this much, because they always grow.
    private const long Tolerance = 1_000_000;

    private long _least;
    private long _most;
    private long _last;
    private long _latest;

    /// <summary>This node's time, in microseconds since 1970.</summary>
    public long Now => (long)clock.Microseconds;

    /// <summary>Notes Redis's time, which was read between <paramref name="asked"/> and now.</summary>
    /// <returns>
    /// Whether this node's clock is fast and has given numbers ahead of Redis's time. Those numbers no longer count.
    /// </returns>
    public bool Follow(long redis, long asked)
    {
        Interlocked.Exchange(ref _least, redis - Now);
        Interlocked.Exchange(ref _most, redis - asked);
        if (redis > Interlocked.Read(ref _latest)) Interlocked.Exchange(ref _latest, redis);
        var last = Interlocked.Read(ref _last);
        return last > redis + Tolerance && Interlocked.CompareExchange(ref _last, 0, last) == last;
    }

    /// <summary>
    /// Numbers a fetch: greater than any number given here before, and than <paramref name="known"/>.
    /// </summary>
    public long NextFetch(long known) => Next(Now + Interlocked.Read(ref _least), known);

    /// <summary>Numbers a purge: greater than the number of any fetch that has begun on any node.</summary>
    public long NextPurge() => Next(Now + Interlocked.Read(ref _most), 0);

    /// <summary>
    /// Corrects Redis's time for a purge: if Redis's clock was set back, the result exceeds all its earlier numbers.
    /// </summary>
    /// <param name="redis">Redis's time now.</param>
    public long ForPurge(long redis)
    {
        // Redis's time is read once a second.
        var latest = Interlocked.Read(ref _latest);
        return latest > redis + Tolerance ? latest + 2 * Tolerance : redis;
    }

    private long Next(long now, long known)
    {
        while (true)
        {
            var last = Interlocked.Read(ref _last);
            var next = Math.Max(now, Math.Max(last, known) + 1);
            if (Interlocked.CompareExchange(ref _last, next, last) == last) return next;
        }
    }
}

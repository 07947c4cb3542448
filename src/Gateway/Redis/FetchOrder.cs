using Gateway.Runtime;

namespace Gateway.Redis;

/// <summary>
/// Orders fetches by when they began, and purges among them, in microseconds since 1970. Redis gives out the numbers, by
/// its own clock; a node without one goes by its own, corrected by what it last saw of Redis's. As that is never known
/// exactly, a fetch counts as a little older than it may be, a purge as a little newer: nothing survives a purge.
/// </summary>
internal sealed class FetchOrder(SteadyClock clock)
{
    // Numbers are ahead by some where they had to be greater than others.
    private const long Tolerance = 1_000_000;

    private long _least;
    private long _most;
    private long _last;
    private long _latest;

    /// <summary>What time it is here.</summary>
    public long Now => (long)clock.Microseconds;

    /// <summary>Notes what time it was for Redis, some time between <paramref name="asked"/> and now.</summary>
    /// <returns>Whether numbers were given that lie ahead of that, for the clock here is fast; they count no longer.</returns>
    public bool Follow(long redis, long asked)
    {
        Interlocked.Exchange(ref _least, redis - Now);
        Interlocked.Exchange(ref _most, redis - asked);
        if (redis > Interlocked.Read(ref _latest)) Interlocked.Exchange(ref _latest, redis);
        var last = Interlocked.Read(ref _last);
        return last > redis + Tolerance && Interlocked.CompareExchange(ref _last, 0, last) == last;
    }

    /// <summary>For a fetch: a number greater than any given here before, and than <paramref name="known"/>.</summary>
    public long NextFetch(long known) => Next(Now + Interlocked.Read(ref _least), known);

    /// <summary>For a purge: likewise, and greater than that of any fetch that anybody has begun.</summary>
    public long NextPurge() => Next(Now + Interlocked.Read(ref _most), 0);

    /// <summary>What time it is for Redis, for a purge: if its clock was set back, more than any number that it gave before.</summary>
    /// <param name="redis">What time it is there.</param>
    public long ForPurge(long redis)
    {
        // It is asked for its time once a second.
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

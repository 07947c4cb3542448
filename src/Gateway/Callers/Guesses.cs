using Gateway.Configuration;

namespace Gateway.Callers;

/// <summary>
/// Slows down a source that guesses: so many failed attempts at once, and then one for each part of a minute that brings
/// one (GCRA). While a source has none left, the keys that it used before go on, for it may be a proxy with many callers
/// behind it; any other key is refused unseen, so that a right guess looks like a wrong one. The table has a fixed size;
/// sources that share a place in it share its attempts.
/// </summary>
internal sealed class Guesses(LiveConfiguration configuration, TimeProvider clock)
{
    private const int Places = 16 * 1024;

    // Of each source, when all its attempts are there again, in ticks, and what it tried last.
    private readonly long[] _restored = new long[Places];
    private readonly int[] _lastTried = new int[Places];

    /// <summary>The source of a request: an IPv4 address, or the network of an IPv6 one, of which a host has all 64 bits.</summary>
    public static int SourceOf(HttpContext http)
    {
        if (http.Connection.RemoteIpAddress is not { } address) return 0;
        Span<byte> bytes = stackalloc byte[16];
        if (!address.TryWriteBytes(bytes, out var length)) return 0;
        var network = address.IsIPv4MappedToIPv6 ? bytes[12..16] : length == 4 ? bytes[..4] : bytes[..8];
        var hash = new HashCode();
        hash.AddBytes(network);
        return hash.ToHashCode();
    }

    /// <summary>Whether a key may be used from there now.</summary>
    /// <param name="retryAfter">Where it may not: when to come back.</param>
    public bool Allow(KnownKey key, int source, out TimeSpan retryAfter)
    {
        retryAfter = default;
        var place = Volatile.Read(ref _restored[Place(source)]);
        if (place != 0 && IsSpent(place, out retryAfter)) return key.WasUsedFrom(source);
        key.UsedFrom(source);
        return true;
    }

    /// <summary>Notes a failed attempt. The same one again and again is a client with an old key, and no guess.</summary>
    /// <param name="retryAfter">Where there were too many: when the next one is.</param>
    /// <returns>Whether it was one of those that a source has.</returns>
    public bool Fail(int source, ReadOnlySpan<char> credential, out TimeSpan retryAfter)
    {
        retryAfter = default;
        if (Allowed == 0) return true;
        ref var place = ref _restored[Place(source)];
        var tried = string.GetHashCode(credential);
        var isNew = Interlocked.Exchange(ref _lastTried[Place(source)], tried) != tried;
        while (true)
        {
            var before = Volatile.Read(ref place);
            if (IsSpent(before, out retryAfter)) return false;
            if (!isNew) return true;
            var after = Math.Max(before, clock.GetUtcNow().Ticks) + Interval;
            if (Interlocked.CompareExchange(ref place, after, before) == before) return true;
        }
    }

    private int Allowed => configuration.Current.Authentication.FailedAttempts;

    // All of them come back within a minute.
    private long Interval => TimeSpan.TicksPerMinute / Allowed;

    private bool IsSpent(long restored, out TimeSpan retryAfter)
    {
        retryAfter = default;
        if (Allowed == 0) return false;
        var wait = restored - clock.GetUtcNow().Ticks - TimeSpan.TicksPerMinute + Interval;
        if (wait <= 0) return false;
        retryAfter = TimeSpan.FromTicks(wait);
        return true;
    }

    private static int Place(int source) => source & (Places - 1);
}

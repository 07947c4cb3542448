using Gateway.Configuration;

namespace Gateway.Callers;

/// <summary>
/// Slows down a source that guesses: so many failed attempts at once, and then one for each part of a minute that brings
/// one (GCRA). While a source has none left, the keys go on that it used before, for it may be a proxy with many callers
/// behind it, and those that the gateway made, for nobody guesses them; any other key is refused unseen, so that a right
/// guess looks like a wrong one. The table has a fixed size; sources that share a place in it share its attempts.
/// </summary>
internal sealed partial class Guesses(LiveConfiguration configuration, TimeProvider clock, ILogger<Guesses> logger)
{
    private const int Places = 16 * 1024, Remembered = 8;

    private static readonly TimeSpan BetweenLines = TimeSpan.FromMinutes(1);

    // Of each source, when all its attempts are there again, in ticks, and what it tried last.
    private readonly long[] _restored = new long[Places];
    private readonly int[] _tried = new int[Places * Remembered];
    private readonly byte[] _next = new byte[Places];
    private long _lastLine;

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
    /// <param name="presented">The key itself.</param>
    /// <param name="retryAfter">Where it may not: when to come back.</param>
    public bool Allow(KnownKey key, ReadOnlySpan<char> presented, int source, out TimeSpan retryAfter)
    {
        retryAfter = default;
        var restored = Volatile.Read(ref _restored[Place(source)]);
        if (restored != 0 && IsSpent(restored, Allowed, out retryAfter) && !GatewayKey.IsWhole(presented)) return key.WasUsedFrom(source);
        key.UsedFrom(source);
        return true;
    }

    /// <summary>Notes a failed attempt. The same one again and again is a client with an old key, and no guess.</summary>
    /// <param name="retryAfter">Where there were too many: when the next one is.</param>
    /// <returns>Whether it was one of those that a source has.</returns>
    public bool Fail(int source, ReadOnlySpan<char> credential, out TimeSpan retryAfter)
    {
        retryAfter = default;
        if (Allowed is not (> 0 and var allowed)) return true;
        ref var restored = ref _restored[Place(source)];
        var isNew = IsNew(Place(source), string.GetHashCode(credential));
        while (true)
        {
            var then = Volatile.Read(ref restored);
            if (IsSpent(then, allowed, out retryAfter))
            {
                if (MayLog()) Log.Spent(logger, allowed);
                return false;
            }
            if (!isNew) return true;
            var now = Math.Max(then, Now) + IntervalOf(allowed);
            if (Interlocked.CompareExchange(ref restored, now, then) == then) return true;
        }
    }

    // What several threads note at once may be lost, and is then new another time.
    private bool IsNew(int place, int tried)
    {
        var lately = _tried.AsSpan(place * Remembered, Remembered);
        if (lately.Contains(tried)) return false;
        lately[_next[place]++ % Remembered] = tried;
        return true;
    }

    private int Allowed => configuration.Current.Authentication.FailedAttempts;

    // It counts on where somebody sets the clock.
    private long Now => clock.GetElapsedTime(0, clock.GetTimestamp()).Ticks;

    // All of them come back within a minute.
    private static long IntervalOf(int allowed) => TimeSpan.TicksPerMinute / allowed;

    private bool IsSpent(long restored, int allowed, out TimeSpan retryAfter)
    {
        retryAfter = default;
        if (allowed == 0) return false;
        var wait = restored - Now - TimeSpan.TicksPerMinute + IntervalOf(allowed);
        if (wait <= 0) return false;
        retryAfter = TimeSpan.FromTicks(wait);
        return true;
    }

    private bool MayLog()
    {
        var (now, last) = (Now, Interlocked.Read(ref _lastLine));
        return (last == 0 || now - last >= BetweenLines.Ticks) && Interlocked.CompareExchange(ref _lastLine, now, last) == last;
    }

    private static int Place(int source) => source & (Places - 1);

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning,
            "A source has sent more than {Allowed} wrong credentials in a minute and is slowed down; gateway.refusals counts how many such there are")]
        public static partial void Spent(ILogger logger, int allowed);
    }
}

using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Options;

namespace Gateway.Callers;

/// <summary>
/// Slows down a source that guesses: so many failed attempts at once, and then one for each part of a minute that
/// brings one (GCRA). While a source has none left, the keys go on that it used before, for it may be a proxy with many
/// callers behind it, and those that the gateway made, for nobody guesses them; any other key is refused unseen, so
/// that a right guess looks like a wrong one. The tables have a fixed size; sources that share a place in them share
/// their attempts.
/// </summary>
internal sealed partial class FailedAttemptLimiter(IOptionsMonitor<AuthenticationOptions> options, TimeProvider clock, ILogger<FailedAttemptLimiter> logger)
{
    private const int Places = 16 * 1024, Remembered = 8;

    private static readonly TimeSpan BetweenLines = TimeSpan.FromMinutes(1);

    private readonly SourceLimit _attempts = new(clock);
    // Of each source, what it tried last.
    private readonly int[] _tried = new int[Places * Remembered];
    private readonly byte[] _next = new byte[Places];
    private long _lastLine;

    /// <summary>
    /// The source of a request: an IPv4 address, or the network of an IPv6 one, of which a host has all 64 bits.
    /// </summary>
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

    /// <summary>
    /// The same in words, for log lines: <c>203.0.113.7</c> or <c>2001:db8:1:2::/64</c>; empty: not known.
    /// </summary>
    public static string NetworkOf(HttpContext http)
    {
        if (http.Connection.RemoteIpAddress is not { } address) return "";
        if (address.IsIPv4MappedToIPv6) return address.MapToIPv4().ToString();
        if (address.AddressFamily != AddressFamily.InterNetworkV6) return address.ToString();
        var bytes = address.GetAddressBytes();
        bytes.AsSpan(8).Clear();
        return $"{new IPAddress(bytes)}/64";
    }

    /// <summary>Whether a key may be used from there now.</summary>
    /// <param name="presented">The key itself.</param>
    /// <param name="retryAfter">Where it may not: when to come back.</param>
    public bool Allow(KnownKey key, ReadOnlySpan<char> presented, int source, out TimeSpan retryAfter)
    {
        var isSpent = _attempts.IsSpent(source, Allowed, out retryAfter);
        if (isSpent && !GatewayKey.IsWhole(presented)) return key.WasUsedFrom(source);
        key.UsedFrom(source);
        return true;
    }

    /// <summary>
    /// Notes a failed attempt. The same one again and again is a client with an old key, and no guess.
    /// </summary>
    /// <param name="retryAfter">Where there were too many: when the next one is.</param>
    /// <returns>Whether it was one of those that a source has.</returns>
    public bool Fail(int source, ReadOnlySpan<char> credential, out TimeSpan retryAfter)
    {
        retryAfter = default;
        if (Allowed is not (> 0 and var allowed)) return true;
        var isNew = IsNew(Place(source), string.GetHashCode(credential));
        var isAllowed = isNew ? _attempts.TryTake(source, allowed, out retryAfter)
            : !_attempts.IsSpent(source, allowed, out retryAfter);
        if (isAllowed) return true;
        if (MayLog()) Log.Spent(logger, allowed);
        return false;
    }

    // What several threads note at once may be lost, and is then new another time.
    private bool IsNew(int place, int tried)
    {
        var lately = _tried.AsSpan(place * Remembered, Remembered);
        if (lately.Contains(tried)) return false;
        lately[_next[place]++ % Remembered] = tried;
        return true;
    }

    private int Allowed => options.CurrentValue.FailedAttempts;

    // It counts on where somebody sets the clock.
    private long Now => clock.GetElapsedTime(0, clock.GetTimestamp()).Ticks;

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

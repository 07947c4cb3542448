using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Options;

namespace Gateway.Callers;

/// <summary>
/// Limits failed attempts of a source to a number per minute (GCRA). While a source is limited, keys that it used
/// before are still accepted, because the source may be a proxy with many callers. Keys that the gateway has created
/// are also accepted, because they cannot be guessed. Any other key is refused without a check, so that a correct guess
/// looks like a wrong one. The tables have a fixed size; sources with the same slot share their attempts.
/// </summary>
internal sealed partial class FailedAttemptLimiter(
    IOptionsMonitor<AuthenticationOptions> options, TimeProvider clock, ILogger<FailedAttemptLimiter> logger)
{
    private const int Slots = 16 * 1024, RecentAttempts = 8;

    private static readonly TimeSpan LogInterval = TimeSpan.FromMinutes(1);

    private readonly SourceLimit _attempts = new(clock);
    // The hashes of the last credentials of each slot.
    private readonly int[] _recent = new int[Slots * RecentAttempts];
    private readonly byte[] _next = new byte[Slots];
    private long _lastLine;

    /// <summary>
    /// Returns the hash of a request's source: an IPv4 address, or the /64 network of an IPv6 address, because one host
    /// may use all addresses of its network.
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
    /// Returns a request's source as text, such as <c>203.0.113.7</c> or <c>2001:db8:1:2::/64</c>; empty if unknown.
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

    /// <summary>Whether a key is accepted from a source.</summary>
    /// <param name="presented">The key that the request carries.</param>
    /// <param name="retryAfter">The time until the next attempt, if the key is not accepted.</param>
    public bool Allow(KnownKey key, ReadOnlySpan<char> presented, int source, out TimeSpan retryAfter)
    {
        var isSpent = _attempts.IsSpent(source, Allowed, out retryAfter);
        if (isSpent && !GatewayKey.IsWhole(presented)) return key.WasUsedFrom(source);
        key.UsedFrom(source);
        return true;
    }

    /// <summary>
    /// Counts a failed attempt. A repeated credential does not count again, because it comes from a client with an old
    /// key and is not a guess.
    /// </summary>
    /// <param name="retryAfter">The time until the next attempt, if there were too many.</param>
    /// <returns>False if the source has made too many attempts.</returns>
    public bool Fail(int source, ReadOnlySpan<char> credential, out TimeSpan retryAfter)
    {
        retryAfter = default;
        if (Allowed is not (> 0 and var allowed)) return true;
        var isNew = IsNew(source & (Slots - 1), string.GetHashCode(credential));
        var isAllowed = isNew ? _attempts.TryTake(source, allowed, out retryAfter)
            : !_attempts.IsSpent(source, allowed, out retryAfter);
        if (isAllowed) return true;
        if (MayLog()) Log.Spent(logger, allowed);
        return false;
    }

    // Without a lock, a concurrent attempt may be lost. The credential then counts as new again.
    private bool IsNew(int slot, int attempt)
    {
        var recent = _recent.AsSpan(slot * RecentAttempts, RecentAttempts);
        if (recent.Contains(attempt)) return false;
        recent[_next[slot]++ % RecentAttempts] = attempt;
        return true;
    }

    private int Allowed => options.CurrentValue.FailedAttempts;

    // Monotonic time, which is not affected when the wall clock is set.
    private long Now => clock.GetElapsedTime(0, clock.GetTimestamp()).Ticks;

    private bool MayLog()
    {
        var (now, last) = (Now, Interlocked.Read(ref _lastLine));
        return (last == 0 || now - last >= LogInterval.Ticks)
            && Interlocked.CompareExchange(ref _lastLine, now, last) == last;
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning,
            "A source has sent more than {Allowed} wrong credentials in a minute and is limited; "
            + "gateway.refusals counts such requests")]
        public static partial void Spent(ILogger logger, int allowed);
    }
}

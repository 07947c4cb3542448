using StackExchange.Redis;

namespace Gateway.Redis;

// Whether the nodes can share all of their state.
internal sealed partial class RedisConnection
{
    private const string Away = "away", NoWrites = "no-writes", NoRights = "no-rights", NoChannels = "no-channels";

    private static readonly string[] Troubles = [Away, NoWrites, NoRights, NoChannels];

    // The health check names missing rights for this time after a refusal.
    private static readonly TimeSpan DenialShown = TimeSpan.FromMinutes(1);

    // A command that was sent over the previous connection may be refused after the connection was replaced.
    private static readonly TimeSpan LateRefusals = TimeSpan.FromSeconds(2);

    private long _deniedAt = long.MinValue / 2, _replacedAt = long.MinValue / 2;

    /// <summary>Why nodes cannot share all of their state; null if they can, or if Redis is not configured.</summary>
    public string? Problem => Trouble?.Text;

    private bool IsDenied =>
        Environment.TickCount64 - Interlocked.Read(ref _deniedAt) < DenialShown.TotalMilliseconds;

    private (string Name, string Text)? Trouble => !IsConfigured ? null
        : !_available && !IsDenied ? (Away, "Redis is away; this node uses its memory only")
        : _refusal is { } code
            ? (NoWrites, $"Redis takes no writes ({code}); this node uses its share of the limits")
        : IsDenied
            ? (NoRights, "The user of Redis may not use commands or keys that the gateway needs")
        : _mayNotListen
            ? (NoChannels, $"The user of Redis may not use the channels {Prefix}*; changes reach this node late")
        : null;

    // Redis 7.0 answers with ERR if a script may not use a command or a key.
    private static bool IsDenial(Exception e) => e is RedisServerException
        && (e.Message.StartsWith("NOPERM", StringComparison.Ordinal)
            || e.Message.Contains("The user executing the script can't", StringComparison.Ordinal));

    private void NoteDenial(Exception why)
    {
        var now = Environment.TickCount64;
        var isLate = now - Interlocked.Read(ref _replacedAt) < LateRefusals.TotalMilliseconds;
        if (IsDenial(why) && !isLate) Interlocked.Exchange(ref _deniedAt, now);
    }

    // The configuration names another user or server, and the refusals were those of the previous one.
    private void ForgetDenials()
    {
        Interlocked.Exchange(ref _replacedAt, Environment.TickCount64);
        Interlocked.Exchange(ref _deniedAt, long.MinValue / 2);
    }
}

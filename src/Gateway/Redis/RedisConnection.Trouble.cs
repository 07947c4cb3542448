namespace Gateway.Redis;

// Whether the nodes can share all of their state.
internal sealed partial class RedisConnection
{
    private const string Away = "away", NoWrites = "no-writes", NoRights = "no-rights", NoChannels = "no-channels";

    private static readonly string[] Troubles = [Away, NoWrites, NoRights, NoChannels];

    // The health check names missing rights for this time after a refusal.
    private static readonly TimeSpan DenialShown = TimeSpan.FromMinutes(1);

    /// <summary>Why nodes cannot share all of their state; null if they can, or if Redis is not configured.</summary>
    public string? Problem => Trouble?.Text;

    private (string Name, string Text)? Trouble => !IsConfigured ? null
        : !_available ? (Away, "Redis is away; this node uses its memory only")
        : _refusal is { } code
            ? (NoWrites, $"Redis takes no writes ({code}); this node uses its share of the limits")
        : Environment.TickCount64 - Interlocked.Read(ref _deniedAt) < DenialShown.TotalMilliseconds
            ? (NoRights, "The user of Redis may not use commands or keys that the gateway needs")
        : _mayNotListen
            ? (NoChannels, $"The user of Redis may not use the channels {Prefix}*; changes reach this node late")
        : null;
}

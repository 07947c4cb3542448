using Gateway.Configuration;

namespace Gateway.Watching;

/// <summary>How callers may watch jobs instead of polling.</summary>
internal sealed class WatchingOptions
{
    /// <summary>The longest wait that a long poll may ask for. Default 60 s; 1 s to 10 min.</summary>
    public TimeSpan MaxWait { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>
    /// The longest time between two polls of a watched job that runs, if the account's budget allows it. Default 2.5 s;
    /// 1 s to 1 h.
    /// </summary>
    public TimeSpan MaxPollInterval { get; set; } = TimeSpan.FromSeconds(2.5);

    /// <summary>The number of watchers of one node. Default 20,000; 0 to 1,000,000. If 0, nobody may watch.</summary>
    public int MaxWatchers { get; set; } = 20_000;

    /// <summary>The number of watchers of one team on one node. Default 10,000; 0 to 1,000,000.</summary>
    public int MaxWatchersPerTeam { get; set; } = 10_000;

    /// <summary>
    /// The longest time that a stream waits for a caller that does not read. Then it is closed. Default 20 s; 1 s to
    /// 10 min.
    /// </summary>
    public TimeSpan SlowReaderTimeout { get; set; } = TimeSpan.FromSeconds(20);

    public void Check(ConfigurationErrors errors)
    {
        errors.Range("Watching:MaxWait", MaxWait, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(10));
        errors.Range("Watching:MaxPollInterval", MaxPollInterval, TimeSpan.FromSeconds(1), TimeSpan.FromHours(1));
        errors.Range(
            "Watching:SlowReaderTimeout", SlowReaderTimeout, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(10));
        errors.Range("Watching:MaxWatchers", MaxWatchers, 0, 1_000_000);
        errors.Range("Watching:MaxWatchersPerTeam", MaxWatchersPerTeam, 0, 1_000_000);
    }
}

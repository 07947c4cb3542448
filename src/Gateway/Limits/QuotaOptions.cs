using Gateway.Configuration;

namespace Gateway.Limits;

/// <summary>How the gateway treats a request that exceeds a quota.</summary>
internal enum QuotaMode
{
    Enforce,
    Observe,
}

/// <summary>
/// A quota of a team or a key: a token bucket of <c>Burst</c> permits, refilled at <c>Requests</c> per <c>Window</c>.
/// </summary>
internal sealed record QuotaOptions
{
    /// <summary>The permits that are restored in one window. Default 600; 1 to 10 million.</summary>
    public int Requests { get; set; } = 600;

    /// <summary>The time in which <see cref="Requests"/> permits are restored. Default 1 min; 1 s to 1 day.</summary>
    public TimeSpan Window { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>
    /// The size of the token bucket. Default 60; 1 to 10 million, and at least the permits that 10 ms restore.
    /// </summary>
    public int Burst { get; set; } = 60;

    /// <summary>Whether requests that exceed the quota are refused or only counted. Default Enforce.</summary>
    public QuotaMode Mode { get; set; } = QuotaMode.Enforce;

    public void Check(ConfigurationErrors errors, string name)
    {
        var key = $"Quotas:{name}";
        errors.Name(key, name, "a quota's");
        var fine = errors.Range($"{key}:Requests", Requests, 1, 10_000_000)
            & errors.Range($"{key}:Window", Window, TimeSpan.FromSeconds(1), TimeSpan.FromDays(1))
            & errors.Range($"{key}:Burst", Burst, 1, 10_000_000);
        errors.Unless(Enum.IsDefined(Mode), $"{key}:Mode",
            $"must be {nameof(QuotaMode.Enforce)} or {nameof(QuotaMode.Observe)}");
        if (!fine) return;
        var least = Math.Ceiling(Requests / Window.TotalMilliseconds * 10);
        errors.Unless(Burst >= least, $"{key}:Burst", $"must be at least {least}, the permits that 10 ms restore");
    }
}

using Gateway.Configuration;

namespace Gateway.Limits;

/// <summary>What becomes of a request beyond a quota.</summary>
internal enum QuotaMode
{
    Enforce,
    Observe,
}

/// <summary>
/// How often a team or a key may call: a bucket of <c>Burst</c> permits, refilled at <c>Requests</c> a <c>Window</c>.
/// </summary>
internal sealed record QuotaOptions
{
    /// <summary>Permits that a window brings. Default 600; 1 to 10 million.</summary>
    public int Requests { get; set; } = 600;

    /// <summary>Default 1 min; 1 s to 1 day.</summary>
    public TimeSpan Window { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>Permits at once, after a pause. Default 60; 1 to 10 million, and no less than 10 ms bring.</summary>
    public int Burst { get; set; } = 60;

    /// <summary>Whether requests beyond it are refused, or only counted. Default Enforce.</summary>
    public QuotaMode Mode { get; set; } = QuotaMode.Enforce;

    public void Check(ConfigurationErrors errors, string name)
    {
        var key = $"Quotas:{name}";
        errors.Name(key, name, "a quota's");
        var fine = errors.Range($"{key}:Requests", Requests, 1, 10_000_000)
            & errors.Range($"{key}:Window", Window, TimeSpan.FromSeconds(1), TimeSpan.FromDays(1))
            & errors.Range($"{key}:Burst", Burst, 1, 10_000_000);
        errors.Unless(Enum.IsDefined(Mode), $"{key}:Mode", $"must be {nameof(QuotaMode.Enforce)} or {nameof(QuotaMode.Observe)}");
        if (!fine) return;
        var least = Math.Ceiling(Requests / Window.TotalMilliseconds * 10);
        errors.Unless(Burst >= least, $"{key}:Burst", $"must be at least {least}, what 10 ms bring at this rate");
    }
}

namespace Gateway.Jobs;

/// <summary>Collects the expiries of the signed URLs in one body.</summary>
/// <param name="now">The time by which a URL counts as expired.</param>
internal struct UrlExpiries(DateTimeOffset now)
{
    public readonly DateTimeOffset Now => now;

    /// <summary>When the first of the URLs that still work expires; null if none works.</summary>
    public DateTimeOffset? FirstToCome { get; private set; }

    /// <summary>Whether a URL has already expired.</summary>
    public bool HasExpired { get; private set; }

    public void Add(DateTimeOffset expiry)
    {
        if (expiry <= now) HasExpired = true;
        else if (FirstToCome is null || expiry < FirstToCome) FirstToCome = expiry;
    }
}

namespace Gateway.Jobs;

/// <summary>When the signed URLs of one body expire, added up as they are found.</summary>
/// <param name="now">Which of them still work.</param>
internal struct UrlExpiries(DateTimeOffset now)
{
    public readonly DateTimeOffset Now => now;

    /// <summary>When the first of those that still work expires; null where there is none.</summary>
    public DateTimeOffset? FirstToCome { get; private set; }

    /// <summary>Whether one has expired already.</summary>
    public bool HasExpired { get; private set; }

    public void Add(DateTimeOffset expiry)
    {
        if (expiry <= now) HasExpired = true;
        else if (FirstToCome is null || expiry < FirstToCome) FirstToCome = expiry;
    }
}

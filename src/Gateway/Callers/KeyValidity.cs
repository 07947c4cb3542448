namespace Gateway.Callers;

/// <summary>When a key counts: from <paramref name="NotBefore"/> on, and before <paramref name="ExpiresAt"/>.</summary>
internal readonly record struct KeyValidity(DateTimeOffset? NotBefore, DateTimeOffset? ExpiresAt)
{
    /// <summary>Why it does not count now.</summary>
    public Refusal At(DateTimeOffset now) =>
        now < NotBefore ? Refusal.NotYetValid
        : now >= ExpiresAt ? Refusal.Expired
        : Refusal.None;
}

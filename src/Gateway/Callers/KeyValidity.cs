namespace Gateway.Callers;

/// <summary>
/// The validity of a key: from <paramref name="NotBefore"/> on, and before <paramref name="ExpiresAt"/>.
/// </summary>
internal readonly record struct KeyValidity(DateTimeOffset? NotBefore, DateTimeOffset? ExpiresAt)
{
    /// <summary>Returns the reason why the key is not valid at a time.</summary>
    public Refusal At(DateTimeOffset now) =>
        now < NotBefore ? Refusal.NotYetValid
        : now >= ExpiresAt ? Refusal.Expired
        : Refusal.None;
}

namespace Gateway.Callers;

/// <summary>
/// The identity of a caller whose request lasts, such as an event stream. <see cref="Identification.RecheckAsync"/>
/// says whether it still holds, without the request's credential.
/// </summary>
/// <param name="key">The hash of the caller's gateway key; null for other callers.</param>
/// <param name="claims">The claims of the caller's token or session; null for keys.</param>
/// <param name="session">The name of the caller's session; null for other callers.</param>
internal sealed class LastingIdentity(Caller caller, KeyHash? key, ClaimSet? claims, KeyHash? session)
{
    /// <summary>The caller, with the teams of the configuration at the last check.</summary>
    public Caller Caller { get; set; } = caller;

    public KeyHash? Key => key;

    /// <summary>The claims at the last check.</summary>
    public ClaimSet? Claims { get; set; } = claims;

    public KeyHash? Session => session;

    /// <summary>The version of the directory at the last check; null before the first one.</summary>
    public object? Version { get; set; }

    /// <summary>
    /// Until when the last check holds, by the steady clock, as long as <see cref="Identification.Version"/> stays the
    /// same.
    /// </summary>
    public DateTimeOffset HoldsUntil { get; set; }
}

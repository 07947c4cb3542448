namespace Gateway.Upstream;

/// <summary>What kept an answer from being one.</summary>
internal enum UpstreamFault
{
    None,

    /// <summary>No usable credential for the account; nothing was sent.</summary>
    NoCredential,

    /// <summary>The circuit breaker is open; nothing was sent.</summary>
    CircuitOpen,

    /// <summary>The upstream asked for a pause, which lasts; nothing was sent.</summary>
    Paused,

    /// <summary>The account's budget was not enough for it in time; nothing was sent.</summary>
    OverBudget,

    /// <summary>The upstream takes none of the account's credentials; nothing was sent.</summary>
    CredentialDead,
    Unreachable,
    TimedOut,

    /// <summary>Whoever asked has left.</summary>
    CallerGone,

    /// <summary>The connection ended within the body.</summary>
    CutShort,

    /// <summary>The body is over <c>Jobs:MaxBodyBytes</c>.</summary>
    TooLarge,

    /// <summary>The body holds the credential that it was asked for with.</summary>
    EchoedCredential,

    /// <summary>The body came in a content coding, though none was accepted.</summary>
    Encoded,
}

/// <summary>What the upstream said to one fetch.</summary>
/// <param name="Status">0 where there was no answer.</param>
/// <param name="Body">The bytes of a 200; of a 400, 403 or 404 the <c>error</c> object alone, or nothing.</param>
/// <param name="RetryAfter">As the upstream gave it, or where nothing was sent, when to ask again; null: no word of it.</param>
internal readonly record struct UpstreamAnswer(int Status, byte[] Body, TimeSpan? RetryAfter, UpstreamFault Fault)
{
    /// <summary>However long an upstream asks to be left alone, it is no longer than this.</summary>
    public static readonly TimeSpan LongestRetryAfter = TimeSpan.FromMinutes(5);

    public static UpstreamAnswer Failed(UpstreamFault fault, int status = 0, TimeSpan? retryAfter = null) =>
        new(status, [], retryAfter, fault);
}

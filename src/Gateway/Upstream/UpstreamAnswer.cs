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

    /// <summary>No connection, or one that ended before an answer came.</summary>
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

    /// <summary>The body came in a content coding that cannot be decoded, though none was accepted.</summary>
    Encoded,

    // Nodes of several versions share these by number: new ones come last.

    /// <summary>401 or 403, about this request: the upstream accepts the credential for others.</summary>
    JobRefused,

    /// <summary>The upstream's name is not known, or cannot be looked up.</summary>
    NameNotResolved,

    /// <summary>The upstream took the connection, and the TLS handshake was not over in time.</summary>
    TlsTimedOut,

    /// <summary>The TLS handshake failed, for the upstream's certificate say.</summary>
    TlsFailed,

    /// <summary>What the upstream sent is not HTTP.</summary>
    ProtocolError,

    /// <summary>The header fields of the answer are larger than 32 KiB.</summary>
    HeaderTooLarge,

    /// <summary>This node had no memory for the body in time.</summary>
    NoRoom,
}

/// <summary>What the upstream said to one fetch.</summary>
/// <param name="Status">0 where there was no answer.</param>
/// <param name="Body">
/// The bytes of a 200 or 202, decoded; of a 400, 401, 403, 404, 410 or 451 the <c>error</c> object alone, or nothing.
/// </param>
/// <param name="RetryAfter">
/// As the upstream gave it, or where nothing was sent, when to ask again; null: no word of it.
/// </param>
internal readonly record struct UpstreamAnswer(int Status, byte[] Body, TimeSpan? RetryAfter, UpstreamFault Fault)
{
    /// <summary>However long an upstream asks to be left alone, it is no longer than this.</summary>
    public static readonly TimeSpan LongestRetryAfter = TimeSpan.FromMinutes(5);

    public static UpstreamAnswer Failed(UpstreamFault fault, int status = 0, TimeSpan? retryAfter = null) =>
        new(status, [], retryAfter, fault);
}

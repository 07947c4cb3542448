namespace Gateway.Upstream;

/// <summary>Why there is no usable answer. Fetch locks in Redis store these numbers.</summary>
internal enum UpstreamFault
{
    None = 0,

    /// <summary>No usable credential for the account; nothing was sent.</summary>
    NoCredential = 1,

    /// <summary>The circuit breaker is open; nothing was sent.</summary>
    CircuitOpen = 2,

    /// <summary>The upstream asked for a pause that has not ended; nothing was sent.</summary>
    Paused = 3,

    /// <summary>The account's budget allowed no call in time; nothing was sent.</summary>
    OverBudget = 4,

    /// <summary>The upstream accepts none of the account's credentials; nothing was sent.</summary>
    CredentialDead = 5,

    /// <summary>No connection, or one that ended before an answer came.</summary>
    Unreachable = 6,
    TimedOut = 7,

    /// <summary>The caller has left.</summary>
    CallerGone = 8,

    /// <summary>The connection ended within the body.</summary>
    CutShort = 9,

    /// <summary>The body is over <c>Jobs:MaxBodyBytes</c>.</summary>
    TooLarge = 10,

    /// <summary>The body contains the credential of the request.</summary>
    EchoedCredential = 11,

    /// <summary>The body has a content coding that cannot be decoded, although the request accepted none.</summary>
    Encoded = 12,

    /// <summary>401 or 403, about this request: the upstream accepts the credential for others.</summary>
    JobRefused = 13,

    /// <summary>The upstream's name is not known, or cannot be looked up.</summary>
    NameNotResolved = 14,

    /// <summary>The upstream accepted the connection, but the TLS handshake did not end in time.</summary>
    TlsTimedOut = 15,

    /// <summary>The TLS handshake failed, for example because of the upstream's certificate.</summary>
    TlsFailed = 16,

    /// <summary>The upstream's answer is not HTTP.</summary>
    ProtocolError = 17,

    /// <summary>The header fields of the answer are larger than 32 KiB.</summary>
    HeaderTooLarge = 18,

    /// <summary>This node had no memory for the body in time.</summary>
    NoRoom = 19,

    /// <summary>The egress proxy cannot be used, or does not connect to the upstream.</summary>
    ProxyFailed = 20,

    /// <summary>A 206 that does not hold the range that was asked for.</summary>
    WrongRange = 21,
}

/// <summary>The upstream's answer to one fetch.</summary>
/// <param name="Status">0 if there was no answer.</param>
/// <param name="Body">
/// The bytes of a 200 or 202, decoded; of a 400, 401, 403, 404, 410 or 451 the <c>error</c> object alone, or nothing.
/// </param>
/// <param name="RetryAfter">
/// The upstream's <c>Retry-After</c>, or when to ask again if nothing was sent; null: there is none.
/// </param>
internal readonly record struct UpstreamAnswer(int Status, byte[] Body, TimeSpan? RetryAfter, UpstreamFault Fault)
{
    /// <summary>The longest time that the gateway waits because of the upstream's <c>Retry-After</c>.</summary>
    public static readonly TimeSpan LongestRetryAfter = TimeSpan.FromMinutes(5);

    public static UpstreamAnswer Failed(UpstreamFault fault, int status = 0, TimeSpan? retryAfter = null) =>
        new(status, [], retryAfter, fault);
}

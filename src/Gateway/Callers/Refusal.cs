namespace Gateway.Callers;

/// <summary>Why a caller was not identified, for metrics and the <see cref="Challenge"/>.</summary>
internal enum Refusal
{
    None,

    /// <summary>No credential at all.</summary>
    Missing,

    /// <summary>
    /// More than one credential, or one header twice. The gateway refuses them rather than picking one.
    /// </summary>
    Ambiguous,

    /// <summary>A value that no credential can have.</summary>
    Malformed,

    /// <summary>A key that is not configured.</summary>
    Unknown,

    /// <summary>A gateway key that was cut or mistyped.</summary>
    Damaged,
    NotYetValid,
    Expired,

    /// <summary>The source has sent too many wrong credentials.</summary>
    TooManyAttempts,

    TokenMalformed,

    /// <summary>A token of the provider for another purpose.</summary>
    TokenUnsuitable,
    TokenAlgorithm,

    /// <summary>
    /// An encrypted token (RFC 7516), which only its recipient can read. Some providers send one to a client that asks
    /// for no audience.
    /// </summary>
    TokenEncrypted,
    TokenSignature,
    TokenIssuer,
    TokenAudience,
    TokenNotYetValid,
    TokenExpired,

    /// <summary>The keys of the identity provider cannot be fetched.</summary>
    ProviderAway,

    /// <summary>The metadata of the identity provider cannot be used, because an option is wrong.</summary>
    ProviderMisconfigured,

    /// <summary>A session that has ended or does not exist.</summary>
    SessionEnded,

    /// <summary>A session cookie that is forged, or that was protected with a key that no longer exists.</summary>
    SessionUnknown,

    /// <summary>A session cookie without the header that proves that a script of an allowed page sent it.</summary>
    CsrfHeaderMissing,

    /// <summary>A session cookie from a page whose origin is not allowed.</summary>
    ForeignOrigin,

    /// <summary>The session store cannot be reached.</summary>
    SessionsAway,
}

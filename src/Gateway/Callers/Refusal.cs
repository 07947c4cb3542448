namespace Gateway.Callers;

/// <summary>Why nobody was identified, for metrics and the <see cref="Challenge"/>.</summary>
internal enum Refusal
{
    None,

    /// <summary>No credential at all.</summary>
    Missing,

    /// <summary>More than one credential, or one header twice: a guess would be somebody's surprise.</summary>
    Ambiguous,

    /// <summary>A credential in no form that any could have.</summary>
    Malformed,

    /// <summary>A key that nobody has.</summary>
    Unknown,

    /// <summary>A gateway key that was cut or mistyped.</summary>
    Damaged,
    NotYetValid,
    Expired,

    /// <summary>This source has failed too often of late.</summary>
    TooManyAttempts,

    TokenMalformed,

    /// <summary>A token of the provider's, for another purpose.</summary>
    TokenUnsuitable,
    TokenAlgorithm,
    TokenSignature,
    TokenIssuer,
    TokenAudience,
    TokenNotYetValid,
    TokenExpired,

    /// <summary>The identity provider cannot be asked for its keys just now.</summary>
    ProviderAway,

    /// <summary>A session that has ended, or never was.</summary>
    SessionEnded,

    /// <summary>A session cookie that no gateway made, or that was made with keys that are gone.</summary>
    SessionUnknown,

    /// <summary>A cookie without the header that proves that a script of an allowed page sent it.</summary>
    CsrfHeaderMissing,

    /// <summary>A cookie from a page that is not allowed to use it.</summary>
    ForeignOrigin,

    /// <summary>The sessions cannot be looked up just now.</summary>
    SessionsAway,
}

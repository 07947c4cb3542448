namespace Gateway.Callers;

/// <summary>What a request does with its session.</summary>
internal enum SessionUse
{
    /// <summary>Restarts the session's idle time.</summary>
    Request,

    /// <summary>
    /// The same for an event stream. A browser's <c>EventSource</c> cannot send the header that protects sessions, so
    /// the browser's own statement about the page counts instead.
    /// </summary>
    EventStream,

    /// <summary>Leaves the session's idle time as it is.</summary>
    Look,

    /// <summary>Ends the session, without a question to the identity provider.</summary>
    Logout,
}

namespace Gateway.Upstream;

/// <summary>
/// The polls of watched jobs of one account that are due on this node. A poll is chosen only when a permit is there.
/// The gate calls the methods under its lock; they return at once.
/// </summary>
internal interface IPollSource
{
    /// <summary>Whether a poll is due.</summary>
    bool IsWaiting { get; }

    /// <summary>The polls that are due, by team.</summary>
    WaitingCalls[] Report();

    /// <summary>Lets the poll go out that is the most urgent one.</summary>
    /// <param name="team">The team whose turn it is.</param>
    /// <returns>False: no poll is due any more, and the permit is not used.</returns>
    bool Start(string team, CallPermit permit);

    /// <summary>Notes that no call may go out for some time, for another reason than the budget.</summary>
    void Close(UpstreamFault reason, TimeSpan left);
}

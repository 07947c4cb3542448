namespace Gateway.Upstream;

/// <summary>
/// A permit for a call that may turn out to be unnecessary, or the reason why there is no permit. The permit is used or
/// returned, once.
/// </summary>
/// <param name="result">The permit or the fault.</param>
/// <param name="team">The team whose turn it is.</param>
/// <param name="giveBack">Receives the permit if it is not used.</param>
internal sealed class CallTicket(QueueResult result, string team, Action<CallPermit, string> giveBack)
{
    private bool _isTaken;

    /// <summary>Whether a call has used the permit.</summary>
    public bool IsUsed { get; private set; }

    /// <summary>Takes the permit or the fault.</summary>
    /// <returns>Null: it was taken or returned before.</returns>
    public QueueResult? Take()
    {
        if (Interlocked.Exchange(ref _isTaken, true)) return null;
        IsUsed = result.Permit is not null;
        return result;
    }

    /// <summary>Returns the permit, unless it was used.</summary>
    public void Return()
    {
        if (!Interlocked.Exchange(ref _isTaken, true) && result.Permit is { } permit) giveBack(permit, team);
    }
}

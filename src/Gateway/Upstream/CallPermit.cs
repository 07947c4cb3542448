using Gateway.Jobs;

namespace Gateway.Upstream;

/// <summary>One call of an account that may go out. It must be ended.</summary>
/// <param name="team">Whose turn it took; empty: the gateway's own trial.</param>
/// <param name="isOfKnownJob">Whether it is a trial with a job that worked before.</param>
internal sealed class CallPermit(
    AccountGate gate, Credential credential, string team, JobAddress job, bool isTrial, long permitted,
    bool isOfKnownJob = false)
{
    private bool _isTold;

    /// <summary>What to make it with, unless it is for the other one.</summary>
    public Credential Credential => credential;

    /// <summary>Says that it goes out now.</summary>
    public void GoOut() => gate.GoOut(permitted);

    /// <summary>Says how it ended, and waits until all nodes can know it where they must.</summary>
    public ValueTask EndAsync(
        CallEnd end, Credential used, TimeSpan? retryAfter = null, Credential? supersedes = null,
        bool isUnauthorized = false) =>
        TellAsync(end, used, isOver: true, retryAfter, supersedes, isUnauthorized);

    /// <summary>
    /// The same, or only what its beginning tells: it may go on for long. What was said first stands.
    /// </summary>
    public ValueTask TellAsync(
        CallEnd end, Credential used, bool isOver, TimeSpan? retryAfter = null, Credential? supersedes = null,
        bool isUnauthorized = false)
    {
        var told = _isTold;
        _isTold = true;
        return gate.LeaveAsync(team, told ? null : Ended(end, used) with
        {
            RetryAfter = retryAfter,
            Supersedes = supersedes?.Fingerprint,
            IsUnauthorized = isUnauthorized,
        }, isOver, permitted);
    }

    private EndedCall Ended(CallEnd end, Credential used)
    {
        var address = $"{job.Workflow}/{job.Job}";
        return new EndedCall(end, used.Fingerprint, CredentialEvidence.NumberOf(address), isTrial)
        {
            Address = job == default ? null : address,
            IsOfKnownJob = isOfKnownJob,
        };
    }
}

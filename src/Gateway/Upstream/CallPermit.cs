using Gateway.Jobs;

namespace Gateway.Upstream;

/// <summary>One call of an account that may go out. Its end must be reported.</summary>
/// <param name="team">The team whose turn it took; empty: a trial or a poll of a watched job.</param>
/// <param name="job">The job as <c>workflow/job</c>; null if the request is not for a job.</param>
/// <param name="permitted">When the call was permitted, as a timestamp of the clock.</param>
internal sealed class CallPermit(
    AccountGate gate, Credential credential, string team, string? job, bool isProbe, long permitted,
    bool isTrial = false)
{
    private bool _isReported;
    private string? _job = job;

    /// <summary>
    /// The credential for the call. A call of <see cref="CallRank.OtherCredential"/> uses another one.
    /// </summary>
    public Credential Credential => credential;

    public static string? NameOf(JobAddress job) => job == default ? null : $"{job.Workflow}/{job.Job}";

    /// <summary>Sets the job, if the permit was acquired before the job was chosen.</summary>
    public void UseFor(JobAddress job) => _job = NameOf(job);

    /// <summary>Records that the call goes out now.</summary>
    public void GoOut() => gate.GoOut(permitted);

    /// <summary>Returns the permit without a call.</summary>
    public ValueTask ReturnAsync() => ReportAsync(CallOutcome.Unknown, credential);

    /// <summary>
    /// Reports the outcome of the call. Waits until all nodes can know it, if it stops them. The first outcome that is
    /// reported counts.
    /// </summary>
    /// <param name="isOver">False: the call goes on, for example as a stream, and keeps its place.</param>
    public ValueTask ReportAsync(
        CallOutcome outcome, Credential used, TimeSpan? retryAfter = null, Credential? supersedes = null,
        bool isUnauthorized = false, bool isOver = true)
    {
        if (_isReported) return gate.ReportAsync(team, null, isOver, permitted);
        _isReported = true;
        var number = CredentialState.NumberOf(_job ?? "");
        var call = new EndedCall(outcome, used.Fingerprint, number, isProbe, retryAfter, supersedes?.Fingerprint)
        {
            Address = _job,
            IsTrial = isTrial,
            IsUnauthorized = isUnauthorized,
        };
        return gate.ReportAsync(team, call, isOver, permitted);
    }
}

namespace Gateway.Upstream;

/// <summary>
/// Whether an account may be used: pauses that the upstream asked for, the circuit breaker, and the standing of each
/// credential. Times are microseconds, by the account's clock. <c>docs/account-budget.md</c> has the state diagrams.
/// </summary>
internal sealed class AccountHealth
{
    /// <summary>The shortest and the longest pause after a 429.</summary>
    public static readonly TimeSpan ShortestPause = TimeSpan.FromSeconds(1);

    public static readonly TimeSpan LongestPause = UpstreamAnswer.LongestRetryAfter;

    /// <summary>The time after which a trial is cancelled.</summary>
    public static readonly TimeSpan LongestTrial = TimeSpan.FromSeconds(2);

    private const double Second = CredentialState.Second;

    // A node that makes a trial has this long to report its outcome.
    private const double LongestReportedTrial = 3 * Second;

    private const double Certainty = 10 * Second;

    private const int RememberedCredentials = 8;

    /// <summary>No call goes out before this time, because of a 429.</summary>
    public double PausedUntil { get; set; }

    public CircuitBreaker Circuit { get; set; } = new();

    /// <summary>The credentials by their fingerprints.</summary>
    public Dictionary<string, CredentialState> Credentials { get; set; } = new(StringComparer.Ordinal);

    /// <summary>When the next trial may start.</summary>
    public double TrialFrom { get; set; }

    /// <summary>Until when the outcome of the current trial is waited for. 0: no trial is under way.</summary>
    public double TrialUntil { get; set; }

    /// <summary>
    /// Whether the last probe of a dead credential or an open circuit was a caller's call. Callers' calls and known
    /// jobs take turns, because either may be refused for its own sake.
    /// </summary>
    public bool WasCallersProbe { get; set; }

    /// <summary>
    /// Until this time, no refusal makes calls wait, because the upstream refused the same job to both credentials.
    /// </summary>
    public double CertainUntil { get; set; }

    /// <summary>Bounds all times, in case they were written by another clock.</summary>
    public void Bound(double now)
    {
        PausedUntil = Math.Min(PausedUntil, now + LongestPause.TotalMicroseconds);
        Circuit.Bound(now);
        foreach (var credential in Credentials.Values) credential.Bound(now);
        TrialFrom = Math.Min(TrialFrom, now + CredentialState.BetweenTrials);
        TrialUntil = Math.Min(TrialUntil, now + LongestReportedTrial);
        CertainUntil = Math.Min(CertainUntil, now + Certainty);
    }

    /// <summary>Records the outcome of a call.</summary>
    /// <param name="credentials">The fingerprints of the node's credentials.</param>
    /// <param name="uncertainty">
    /// How far the true time may be ahead of <paramref name="now"/>. No other node may end a pause too early.
    /// </param>
    public void Record(in EndedCall call, string[] credentials, double now, double uncertainty = 0)
    {
        var credential = StateOf(call.Credential);
        if (call.IsProbe) credential.FirstProbeUntil = 0;
        if (call.IsTrial) TrialUntil = 0;
        if (call.Outcome != CallOutcome.Unknown) Circuit.Record(call, JobForCircuit(credential) is not null, now);
        else if (call.IsProbe) Circuit.CancelProbe();
        var sent = now - call.Age;
        switch (call.Outcome)
        {
            case CallOutcome.Accepted or CallOutcome.Missing:
                // A trial with a slow job would be slow.
                var isQuick = call.Age < LongestTrial.TotalMicroseconds / 2;
                credential.Accept(call, call.Outcome == CallOutcome.Accepted && isQuick ? call.Address : null, sent);
                if (call.Supersedes is { } superseded) StateOf(superseded).MarkDead(now, now);
                break;
            case CallOutcome.Refused when call.IsTrial:
                if (credential.RefuseTrial(call, sent)) credential.MarkDead(sent, now);
                // The next trial, with another job, need not wait.
                else TrialFrom = now;
                break;
            case CallOutcome.Refused:
                var isSuspect = credential.Refuse(call, sent, now);
                var used = call.Credential;
                var hasOther = Array.Exists(credentials, other => other != used && !IsDead(other));
                if (isSuspect && hasOther && now >= CertainUntil) credential.Doubt(now);
                break;
            case CallOutcome.RefusedTwice:
                credential.Refuse(call, sent, now);
                foreach (var doubted in Credentials.Values) doubted.DoubtUntil = 0;
                CertainUntil = now + Certainty;
                break;
            case CallOutcome.Busy:
                var pause = call.RetryAfter ?? TimeSpan.Zero;
                if (pause < ShortestPause) pause = ShortestPause;
                if (pause > LongestPause) pause = LongestPause;
                PausedUntil = Math.Max(PausedUntil, now + uncertainty + pause.TotalMicroseconds);
                break;
        }
    }

    public bool IsDead(string credential) => Find(credential).IsDead;

    public bool IsHalfOpen(string credential) => Find(credential).IsHalfOpen;

    public CredentialStanding StandingOf(string credential, double now) => Find(credential).StandingAt(now);

    /// <summary>The cause of the last refusal of a credential.</summary>
    public RefusalCause CauseOf(string credential, double now)
    {
        if (Credentials.GetValueOrDefault(credential) is not { } state) return RefusalCause.Unknown;
        if (state.IsDead) return RefusalCause.Credential;
        if (!state.IsSuspect) return RefusalCause.Job;
        var canTry = state.NextJob() is not null && PausedUntil <= now && !Circuit.IsOpen;
        return canTry ? RefusalCause.Pending : RefusalCause.Unknown;
    }

    /// <summary>Whether calls wait because a credential was refused and its successor is being tried.</summary>
    public bool IsInDoubt(string credential, double now) => now < Find(credential).DoubtUntil;

    /// <summary>When the next call may go out alone as a probe. Null: calls need not go out alone.</summary>
    public double? NextProbe(string credential, bool hasOther, double now)
    {
        var from = Find(credential).NextProbe(hasOther, now);
        return Circuit.IsOpen ? Math.Max(from ?? 0, Circuit.ProbeFrom) : from;
    }

    /// <summary>Records that a caller's call goes out as a probe. The next one does not wait for its outcome.</summary>
    public void StartProbe(string credential, double now)
    {
        WasCallersProbe = true;
        StateOf(credential).StartProbe(now);
        if (Circuit.IsOpen) Circuit.StartProbe(now);
    }

    /// <summary>
    /// The known job for a trial that has to be made now: because jobs are refused or fail, or to find out whether a
    /// dead credential or an open circuit has recovered.
    /// </summary>
    /// <param name="isWaiting">Whether a caller's call waits, which can be the probe.</param>
    /// <returns>Null: no trial is needed, or none is possible.</returns>
    public string? TrialJob(string credential, bool isWaiting, double now)
    {
        if (now < TrialFrom || now < TrialUntil || PausedUntil > now) return null;
        var state = Find(credential);
        if (Circuit.IsOpen || state.IsDead)
        {
            var from = Math.Max(Circuit.IsOpen ? Circuit.ProbeFrom : 0, state.IsDead ? state.ProbeFrom : 0);
            if (now < from || (isWaiting && !WasCallersProbe)) return null;
            return JobForCircuit(state) ?? state.NextJobOfAll();
        }
        if (state.IsSuspect && !IsInDoubt(credential, now)) return JobForCircuit(state) ?? state.NextJob();
        return Circuit.NeedsTrial() ? JobForCircuit(state) : null;
    }

    /// <summary>Records that a trial goes out. One is under way at a time; one starts each second at most.</summary>
    public void StartTrial(string credential, double now)
    {
        (TrialFrom, TrialUntil) = (now + CredentialState.BetweenTrials, now + LongestReportedTrial);
        WasCallersProbe = false;
        StateOf(credential).StartTrial(now);
        if (Circuit.IsOpen) Circuit.StartProbe(now);
    }

    /// <summary>The reason why calls must not even wait; null if they may wait.</summary>
    public Closed? ClosedFor(string credential, double now)
    {
        if (PausedUntil > now) return new Closed(UpstreamFault.Paused, PausedUntil);
        var state = Find(credential);
        if (state.IsDead) return new Closed(UpstreamFault.CredentialDead, Math.Max(state.ProbeFrom, now + Second));
        return Circuit.IsOpen ? new Closed(UpstreamFault.CircuitOpen, Math.Max(Circuit.ProbeFrom, now)) : null;
    }

    /// <summary>Gives a credential that was configured again a new chance.</summary>
    public void Reset(string credential) => Find(credential).Reset();

    /// <summary>Adds what another copy of the account knows.</summary>
    /// <param name="by">The difference between the clocks of the two copies.</param>
    public void Merge(AccountHealth other, double by = 0)
    {
        PausedUntil = Math.Max(PausedUntil, other.PausedUntil + by);
        foreach (var (credential, state) in other.Credentials) StateOf(credential).Merge(state, by);
    }

    // A known job that has not failed itself.
    private string? JobForCircuit(CredentialState credential) => credential.NextJob(Circuit.HasFailed);

    // For reading only. The new state of an unknown credential is not stored.
    private CredentialState Find(string credential) => Credentials.GetValueOrDefault(credential) ?? new();

    private CredentialState StateOf(string credential)
    {
        if (Credentials.TryGetValue(credential, out var state)) return state;
        if (Credentials.Count >= RememberedCredentials)
        {
            var oldest = Credentials.MinBy(one => Math.Max(
                Math.Max(one.Value.AcceptedAt, one.Value.RefusedAt), one.Value.DeadSince));
            Credentials.Remove(oldest.Key);
        }
        return Credentials[credential] = new CredentialState();
    }
}

namespace Gateway.Upstream;

/// <summary>
/// Whether an account may be used, as all nodes together have seen: pauses that the upstream asked for, the circuit breaker,
/// and which credentials it takes. Times are microseconds since 1970, by one clock.
/// </summary>
internal sealed class AccountHealth
{
    public const double Second = 1e6;

    /// <summary>The least and the most that a 429 can ask for; it is the least where it asks for nothing.</summary>
    public static readonly TimeSpan ShortestPause = TimeSpan.FromSeconds(1), LongestPause = UpstreamAnswer.LongestRetryAfter;

    /// <summary>How often a credential that the upstream does not take is tried again.</summary>
    public static readonly TimeSpan BetweenDeadTrials = TimeSpan.FromSeconds(10), BetweenSuspectTrials = TimeSpan.FromSeconds(1);

    /// <summary>So many jobs refused one after the other, and none accepted: then it may be the credential.</summary>
    public const int SuspectAfter = 5;

    /// <summary>For so long nothing was accepted, where that is said aloud.</summary>
    public const double SuspectUntilRefused = 10 * Second;

    private const int Remembered = 8;

    private const double LongestTrialOfNew = Second, LongestDoubt = 2 * Second, Certainty = 10 * Second, LongestSuspicion = 600 * Second;

    /// <summary>429: nothing goes out until then.</summary>
    public double PausedUntil { get; set; }

    public Circuit Circuit { get; set; } = new();

    /// <summary>Fingerprints of credentials that the upstream took, and of those that it takes no longer.</summary>
    public List<string> Accepted { get; set; } = [];

    public List<string> Dead { get; set; } = [];

    public double DeadTrialFrom { get; set; }

    /// <summary>One call with a credential that was never accepted is under way; until then it is waited for. 0: none is.</summary>
    public double NewTrialUntil { get; set; }

    /// <summary>Jobs that were refused with one credential since one was accepted, and since when they are many.</summary>
    public List<int> RefusedJobs { get; set; } = [];

    public string RefusedWith { get; set; } = "";

    public double SuspectSince { get; set; }

    public double RefusedAt { get; set; }

    public double SuspectTrialFrom { get; set; }

    /// <summary>The credential that was refused and may be dead; its successor is being tried.</summary>
    public string Doubted { get; set; } = "";

    public double DoubtUntil { get; set; }

    public double CertainUntil { get; set; }

    /// <summary>What lies further ahead than it could is from another clock, or from before that was set back.</summary>
    public void Bound(double now)
    {
        PausedUntil = Math.Min(PausedUntil, now + LongestPause.TotalMicroseconds);
        Circuit.Bound(now);
        DeadTrialFrom = Math.Min(DeadTrialFrom, now + BetweenDeadTrials.TotalMicroseconds);
        NewTrialUntil = Math.Min(NewTrialUntil, now + LongestTrialOfNew);
        SuspectSince = Math.Min(SuspectSince, now);
        RefusedAt = Math.Min(RefusedAt, now);
        if (now - RefusedAt > LongestSuspicion) RefusedJobs.Clear();
        SuspectTrialFrom = Math.Min(SuspectTrialFrom, now + BetweenSuspectTrials.TotalMicroseconds);
        DoubtUntil = Math.Min(DoubtUntil, now + LongestDoubt);
        CertainUntil = Math.Min(CertainUntil, now + Certainty);
    }

    /// <summary>Moves all its times, for the clock was set.</summary>
    public void Move(double by)
    {
        PausedUntil += by;
        Circuit.Move(by);
        DeadTrialFrom += by;
        if (NewTrialUntil > 0) NewTrialUntil += by;
        SuspectSince += by;
        RefusedAt += by;
        SuspectTrialFrom += by;
        DoubtUntil += by;
        CertainUntil += by;
    }

    /// <summary>Takes note of a call that is over.</summary>
    /// <param name="credentials">What the node has to call with.</param>
    /// <param name="uncertainty">By how much it may be later than that: nobody else is to think that a pause is over before it is.</param>
    public void Note(in EndedCall call, string[] credentials, double now, double uncertainty = 0)
    {
        if (call.IsTrial) NewTrialUntil = 0;
        if (call.End != CallEnd.Unknown) Circuit.Note(hasFailed: call.End == CallEnd.Failed, call.IsTrial, now);
        else if (call.IsTrial) Circuit.Forgo();
        switch (call.End)
        {
            case CallEnd.Accepted:
                RefusedJobs.Clear();
                // Word of a call that was made before may come late.
                if (call.IsTrial) Dead.Remove(call.Credential);
                if (!Dead.Contains(call.Credential)) Remember(Accepted, call.Credential);
                if (call.Supersedes is { } superseded) Bury(superseded);
                break;
            case CallEnd.Unauthorized:
                Bury(call.Credential);
                Doubted = "";
                DeadTrialFrom = now + BetweenDeadTrials.TotalMicroseconds;
                break;
            case CallEnd.Refused:
                Suspect(call, now);
                if (now >= CertainUntil && HasOther(call.Credential, credentials)) (Doubted, DoubtUntil) = (call.Credential, now + LongestDoubt);
                break;
            case CallEnd.RefusedTwice:
                (Doubted, CertainUntil) = ("", now + Certainty);
                break;
            case CallEnd.Busy:
                var asked = call.RetryAfter ?? TimeSpan.Zero;
                var pause = asked < ShortestPause ? ShortestPause : asked > LongestPause ? LongestPause : asked;
                PausedUntil = Math.Max(PausedUntil, now + uncertainty + pause.TotalMicroseconds);
                break;
        }
    }

    /// <summary>Whether jobs are refused one after the other: it may be the credential.</summary>
    public bool IsSuspect(string credential) => RefusedJobs.Count >= SuspectAfter && RefusedWith == credential;

    /// <summary>How the upstream takes a credential.</summary>
    public CredentialStanding StandingOf(string credential, double now) =>
        Dead.Contains(credential) || (IsSuspect(credential) && now - SuspectSince >= SuspectUntilRefused) ? CredentialStanding.Refused
        : IsSuspect(credential) ? CredentialStanding.Suspect : CredentialStanding.Fine;

    /// <summary>Whether calls wait because a credential was refused, and its successor is being tried.</summary>
    public bool IsInDoubt(string credential, double now) => Doubted == credential && now < DoubtUntil;

    /// <summary>When the next call may go out, alone, for its end decides about the others. Null: calls need not go alone.</summary>
    public double? NextTrial(string credential, bool hasOther, double now)
    {
        double? from = null;
        // Where a trial has no answer in time, the upstream is slow, and all go.
        var isOverdue = NewTrialUntil > 0 && now >= NewTrialUntil;
        if (hasOther && !Accepted.Contains(credential) && !isOverdue) from = NewTrialUntil;
        if (IsSuspect(credential)) from = Math.Max(from ?? 0, SuspectTrialFrom);
        if (Dead.Contains(credential)) from = Math.Max(from ?? 0, DeadTrialFrom);
        if (Circuit.IsOpen) from = Math.Max(from ?? 0, Circuit.ProbeFrom);
        return from;
    }

    /// <summary>Takes note that such a call goes out. However it ends, and if it does not, the next one waits for its time.</summary>
    public void Try(string credential, double now)
    {
        NewTrialUntil = now + LongestTrialOfNew;
        SuspectTrialFrom = now + BetweenSuspectTrials.TotalMicroseconds;
        if (Dead.Contains(credential)) DeadTrialFrom = now + BetweenDeadTrials.TotalMicroseconds;
        if (Circuit.IsOpen) Circuit.Probe(now);
    }

    /// <summary>Why calls should not even wait.</summary>
    public Closed? ClosedFor(string credential, double now)
    {
        if (PausedUntil > now) return new Closed(UpstreamFault.Paused, PausedUntil);
        if (Dead.Contains(credential)) return new Closed(UpstreamFault.CredentialDead, Math.Max(DeadTrialFrom, now + Second));
        if (Circuit.IsOpen) return new Closed(UpstreamFault.CircuitOpen, Math.Max(Circuit.ProbeFrom, now));
        return null;
    }

    /// <summary>Adds what another has seen.</summary>
    public void Merge(AccountHealth other)
    {
        PausedUntil = Math.Max(PausedUntil, other.PausedUntil);
        foreach (var credential in other.Accepted) Remember(Accepted, credential);
        foreach (var credential in other.Dead) Bury(credential);
        DeadTrialFrom = Math.Max(DeadTrialFrom, other.DeadTrialFrom);
    }

    private bool HasOther(string credential, string[] credentials)
    {
        foreach (var other in credentials)
        {
            if (other != credential && !Dead.Contains(other)) return true;
        }
        return false;
    }

    private void Bury(string credential)
    {
        Accepted.Remove(credential);
        Remember(Dead, credential);
        if (Doubted == credential) Doubted = "";
    }

    private void Suspect(in EndedCall call, double now)
    {
        RefusedAt = now;
        if (RefusedWith != call.Credential) (RefusedWith, RefusedJobs) = (call.Credential, []);
        if (RefusedJobs.Count >= SuspectAfter || RefusedJobs.Contains(call.Job)) return;
        RefusedJobs.Add(call.Job);
        if (RefusedJobs.Count == SuspectAfter) (SuspectSince, SuspectTrialFrom) = (now, now + BetweenSuspectTrials.TotalMicroseconds);
    }

    private static void Remember(List<string> list, string credential)
    {
        if (list.Contains(credential)) return;
        list.Add(credential);
        if (list.Count > Remembered) list.RemoveAt(0);
    }
}

/// <summary>How the upstream takes a credential.</summary>
internal enum CredentialStanding
{
    Fine,

    /// <summary>It refuses one job after the other.</summary>
    Suspect,

    /// <summary>It does not take it, or takes it for no job for a while.</summary>
    Refused,
}

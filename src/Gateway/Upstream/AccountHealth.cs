namespace Gateway.Upstream;

/// <summary>
/// Whether an account may be used, as all nodes together have seen: pauses that the upstream asked for, the circuit
/// breaker, and which credentials it takes. Times are microseconds since 1970, by one clock.
/// <para>
/// A refusal (401 or 403) makes a credential suspect; it stops nobody. A call that is sent later and accepted clears
/// the credential: the refusal was about the job. Where none is, a trial decides: the gateway asks once more for a job
/// that the credential was accepted for before, one trial at a time in the cluster and one a second at most. Accepted:
/// it was the job, and this job's refusals cast no doubt for ten seconds after any accepted call. Refused: the
/// credential is dead once two known jobs were refused, or the only one; a second one is tried at once. A dead
/// credential is tried each ten seconds. Where no job is known that worked before, five different jobs refused in a row
/// make the credential half-open: one caller's call a second goes out, of each team in turn, until one is accepted. A
/// successor (<c>NextCredential</c>) that is accepted for a job that was refused decides at once: the first credential
/// is dead.
/// </para>
/// </summary>
internal sealed class AccountHealth
{
    public const double Second = 1e6;

    /// <summary>The least and the most that a 429 can ask for; it is the least where it asks for nothing.</summary>
    public static readonly TimeSpan ShortestPause = TimeSpan.FromSeconds(1), LongestPause = UpstreamAnswer.LongestRetryAfter;

    /// <summary>How often a dead credential is tried again, and how often a half-open one.</summary>
    public static readonly TimeSpan BetweenDeadTrials = TimeSpan.FromSeconds(10);

    public static readonly TimeSpan BetweenHalfOpenTrials = TimeSpan.FromSeconds(1);

    /// <summary>A trial with a job that worked before is given up after this time.</summary>
    public static readonly TimeSpan LongestTrial = TimeSpan.FromSeconds(2);

    /// <summary>After so long without an accepted call a credential that is refused is reported.</summary>
    public const double RefusedUntilReported = 10 * Second;

    private const int Remembered = 8;

    // A node that makes a trial has this long to report its end.
    private const double LongestKnownTrial = 3 * Second;

    private const double LongestTrialOfNew = Second, LongestDoubt = 2 * Second, Certainty = 10 * Second, LongestSuspicion = 600 * Second;

    /// <summary>429: nothing goes out until then.</summary>
    public double PausedUntil { get; set; }

    public Circuit Circuit { get; set; } = new();

    /// <summary>Fingerprints of credentials that the upstream took, and of those that it takes no longer.</summary>
    public List<string> Accepted { get; set; } = [];

    public List<string> Dead { get; set; } = [];

    public double DeadTrialFrom { get; set; }

    /// <summary>
    /// One call with a credential that was never accepted is under way; until then it is waited for. 0: none is.
    /// </summary>
    public double NewTrialUntil { get; set; }

    /// <summary>What is known of each credential, by its fingerprint.</summary>
    public Dictionary<string, CredentialEvidence> Known { get; set; } = new(StringComparer.Ordinal);

    public double HalfOpenTrialFrom { get; set; }

    /// <summary>
    /// When the next trial with a job that worked before may go out, and until when one is under way. 0: none is.
    /// </summary>
    public double KnownTrialFrom { get; set; }

    public double KnownTrialUntil { get; set; }

    /// <summary>
    /// Whether the last probe of a dead credential or an open circuit was a caller's call. Callers' calls and jobs that
    /// worked before take turns: either may be refused for itself.
    /// </summary>
    public bool WasCallersProbe { get; set; }

    /// <summary>The credential that was refused and may be dead; its successor is being tried.</summary>
    public string Doubted { get; set; } = "";

    public double DoubtUntil { get; set; }

    public double CertainUntil { get; set; }

    /// <summary>
    /// What lies further ahead than it could is from another clock, or from before that was set back.
    /// </summary>
    public void Bound(double now)
    {
        PausedUntil = Math.Min(PausedUntil, now + LongestPause.TotalMicroseconds);
        Circuit.Bound(now);
        DeadTrialFrom = Math.Min(DeadTrialFrom, now + BetweenDeadTrials.TotalMicroseconds);
        NewTrialUntil = Math.Min(NewTrialUntil, now + LongestTrialOfNew);
        foreach (var evidence in Known.Values) evidence.Bound(now, LongestSuspicion);
        HalfOpenTrialFrom = Math.Min(HalfOpenTrialFrom, now + BetweenHalfOpenTrials.TotalMicroseconds);
        KnownTrialFrom = Math.Min(KnownTrialFrom, now + CredentialEvidence.BetweenTrials);
        KnownTrialUntil = Math.Min(KnownTrialUntil, now + LongestKnownTrial);
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
        foreach (var evidence in Known.Values) evidence.Move(by);
        HalfOpenTrialFrom += by;
        if (KnownTrialFrom > 0) KnownTrialFrom += by;
        if (KnownTrialUntil > 0) KnownTrialUntil += by;
        DoubtUntil += by;
        CertainUntil += by;
    }

    /// <summary>Takes note of a call that is over.</summary>
    /// <param name="credentials">What the node has to call with.</param>
    /// <param name="uncertainty">
    /// By how much it may be later than that: nobody else is to think that a pause is over before it is.
    /// </param>
    public void Note(in EndedCall call, string[] credentials, double now, double uncertainty = 0)
    {
        if (call.IsTrial) NewTrialUntil = 0;
        if (call.IsOfKnownJob) KnownTrialUntil = 0;
        if (call.End != CallEnd.Unknown) Circuit.Note(call, canTry: JobForCircuit(call.Credential) is not null, now);
        else if (call.IsTrial) Circuit.ForgetProbe();
        var sent = now - call.Age;
        switch (call.End)
        {
            case CallEnd.Accepted or CallEnd.Missing:
                Accept(call, sent, now);
                break;
            case CallEnd.Refused when call.IsOfKnownJob:
                if (EvidenceOf(call.Credential).RefuseTrial(call.Address, call.Job, sent))
                {
                    MarkDead(call.Credential, sent, now);
                }
                // The next trial, with another job, need not wait.
                else KnownTrialFrom = now;
                break;
            case CallEnd.Refused:
                var isSuspect = EvidenceOf(call.Credential).Refuse(call.Job, call.IsUnauthorized, sent, now);
                if (isSuspect) StartHalfOpen(call.Credential, now);
                if (isSuspect && now >= CertainUntil && HasOther(call.Credential, credentials))
                {
                    (Doubted, DoubtUntil) = (call.Credential, now + LongestDoubt);
                }
                break;
            case CallEnd.RefusedTwice:
                EvidenceOf(call.Credential).Refuse(call.Job, call.IsUnauthorized, sent, now);
                StartHalfOpen(call.Credential, now);
                (Doubted, CertainUntil) = ("", now + Certainty);
                break;
            case CallEnd.Busy:
                var asked = call.RetryAfter ?? TimeSpan.Zero;
                var pause = asked < ShortestPause ? ShortestPause : asked > LongestPause ? LongestPause : asked;
                PausedUntil = Math.Max(PausedUntil, now + uncertainty + pause.TotalMicroseconds);
                break;
        }
    }

    /// <summary>
    /// Whether one job after the other is refused, none is accepted, and there is none that worked before to make a
    /// trial with: then one call a second goes out, of each team in turn.
    /// </summary>
    public bool IsHalfOpen(string credential) => Known.GetValueOrDefault(credential)?.IsHalfOpen() == true;

    /// <summary>How the upstream takes a credential.</summary>
    public CredentialStanding StandingOf(string credential, double now)
    {
        if (Dead.Contains(credential)) return CredentialStanding.Refused;
        if (Known.GetValueOrDefault(credential) is not { Refused.Count: > 0 } evidence) return CredentialStanding.Fine;
        if (evidence.IsHalfOpen())
        {
            return now - evidence.HalfOpenSince >= RefusedUntilReported
                ? CredentialStanding.Refused : CredentialStanding.Suspect;
        }
        // A 401 is likely to be about the credential, also where few jobs are asked for.
        var isReported = evidence.IsUnauthorized && evidence.RefusedAt - evidence.RefusedSince >= RefusedUntilReported
            && evidence.NextJob(_ => false) is null;
        return isReported ? CredentialStanding.Refused : CredentialStanding.Fine;
    }

    /// <summary>What the last refusal of a credential is about.</summary>
    public RefusalCause CauseOf(string credential, double now)
    {
        if (Dead.Contains(credential)) return RefusalCause.Credential;
        if (Known.GetValueOrDefault(credential) is not { } evidence) return RefusalCause.Unknown;
        if (!evidence.IsSuspect()) return RefusalCause.Job;
        var canTry = evidence.NextJob(_ => false) is not null && PausedUntil <= now && !Circuit.IsOpen;
        return canTry ? RefusalCause.Pending : RefusalCause.Unknown;
    }

    /// <summary>Whether calls wait because a credential was refused, and its successor is being tried.</summary>
    public bool IsInDoubt(string credential, double now) => Doubted == credential && now < DoubtUntil;

    /// <summary>
    /// When the next call may go out, alone, for its end decides about the others. Null: calls need not go alone.
    /// </summary>
    public double? NextTrial(string credential, bool hasOther, double now)
    {
        double? from = null;
        // Where a trial has no answer in time, the upstream is slow, and all go.
        var isOverdue = NewTrialUntil > 0 && now >= NewTrialUntil;
        if (hasOther && !Accepted.Contains(credential) && !isOverdue) from = NewTrialUntil;
        if (IsHalfOpen(credential)) from = Math.Max(from ?? 0, HalfOpenTrialFrom);
        if (Dead.Contains(credential)) from = Math.Max(from ?? 0, DeadTrialFrom);
        if (Circuit.IsOpen) from = Math.Max(from ?? 0, Circuit.ProbeFrom);
        return from;
    }

    /// <summary>
    /// Takes note that such a call goes out. However it ends, and if it does not, the next one waits for its time.
    /// </summary>
    public void Try(string credential, double now)
    {
        NewTrialUntil = now + LongestTrialOfNew;
        HalfOpenTrialFrom = now + BetweenHalfOpenTrials.TotalMicroseconds;
        WasCallersProbe = true;
        StartProbe(credential, now);
    }

    /// <summary>
    /// The job that worked before with which a trial is to be made now: because jobs are refused or fail, so that it
    /// may be the credential or the upstream, or to find out whether a dead credential or an open circuit has
    /// recovered.
    /// </summary>
    /// <param name="isWaiting">Whether a caller's call waits, which can be the probe as well.</param>
    /// <returns>Null: no trial is to be made, or none can be.</returns>
    public string? TrialJob(string credential, bool isWaiting, double now)
    {
        if (now < KnownTrialFrom || now < KnownTrialUntil || PausedUntil > now) return null;
        if (Known.GetValueOrDefault(credential) is not { Jobs.Count: > 0 } evidence) return null;
        var isDead = Dead.Contains(credential);
        if (Circuit.IsOpen || isDead)
        {
            var from = Math.Max(Circuit.IsOpen ? Circuit.ProbeFrom : 0, isDead ? DeadTrialFrom : 0);
            if (now < from || (isWaiting && !WasCallersProbe)) return null;
            return JobForCircuit(credential) ?? evidence.NextJobOfAll();
        }
        if (evidence.IsSuspect() && !IsInDoubt(credential, now))
        {
            return JobForCircuit(credential) ?? evidence.NextJob(_ => false);
        }
        return Circuit.IsDoubtful() ? JobForCircuit(credential) : null;
    }

    /// <summary>
    /// Takes note that a trial with a job that worked before goes out: one at a time, and one a second.
    /// </summary>
    public void TryKnownJob(string credential, double now)
    {
        (KnownTrialFrom, KnownTrialUntil) = (now + CredentialEvidence.BetweenTrials, now + LongestKnownTrial);
        WasCallersProbe = false;
        EvidenceOf(credential).Trials++;
        StartProbe(credential, now);
    }

    /// <summary>Why calls should not even wait.</summary>
    public Closed? ClosedFor(string credential, double now)
    {
        if (PausedUntil > now) return new Closed(UpstreamFault.Paused, PausedUntil);
        if (Dead.Contains(credential)) return new Closed(UpstreamFault.CredentialDead, Math.Max(DeadTrialFrom, now + Second));
        if (Circuit.IsOpen) return new Closed(UpstreamFault.CircuitOpen, Math.Max(Circuit.ProbeFrom, now));
        return null;
    }

    /// <summary>A credential that somebody has put in place has a new chance, whatever was known of it.</summary>
    public void Forgive(string credential)
    {
        Dead.Remove(credential);
        Known.GetValueOrDefault(credential)?.Forgive();
    }

    /// <summary>Adds what another has seen.</summary>
    public void Merge(AccountHealth other)
    {
        PausedUntil = Math.Max(PausedUntil, other.PausedUntil);
        foreach (var credential in other.Accepted) Remember(Accepted, credential);
        foreach (var (credential, evidence) in other.Known) EvidenceOf(credential).Merge(evidence);
        foreach (var credential in other.Dead) AddDead(credential);
        DeadTrialFrom = Math.Max(DeadTrialFrom, other.DeadTrialFrom);
    }

    private void Accept(in EndedCall call, double sent, double now)
    {
        var evidence = EvidenceOf(call.Credential);
        // Word of a call that was sent before the credential died may come late.
        if (call.IsTrial || (evidence.DeadFrom > 0 && sent > evidence.DeadFrom)) Dead.Remove(call.Credential);
        if (!Dead.Contains(call.Credential))
        {
            // A slow job makes a slow trial.
            var isFit = call.End == CallEnd.Accepted && call.Age < LongestTrial.TotalMicroseconds / 2;
            evidence.Accept(isFit ? call.Address : null, sent, call.IsOfKnownJob);
            if (call is { IsOfKnownJob: true, End: CallEnd.Missing, Address: { } gone }) evidence.Forget(gone);
            Remember(Accepted, call.Credential);
        }
        if (call.Supersedes is { } superseded) MarkDead(superseded, now, now);
    }

    private void StartProbe(string credential, double now)
    {
        if (Dead.Contains(credential)) DeadTrialFrom = now + BetweenDeadTrials.TotalMicroseconds;
        if (Circuit.IsOpen) Circuit.Probe(now);
    }

    private void StartHalfOpen(string credential, double now)
    {
        if (IsHalfOpen(credential) && Known[credential].HalfOpenSince == now)
        {
            HalfOpenTrialFrom = now + BetweenHalfOpenTrials.TotalMicroseconds;
        }
    }

    // One that has not failed itself.
    private string? JobForCircuit(string credential) => Known.GetValueOrDefault(credential)?.NextJob(Circuit.HasFailed);

    private bool HasOther(string credential, string[] credentials)
    {
        foreach (var other in credentials)
        {
            if (other != credential && !Dead.Contains(other)) return true;
        }
        return false;
    }

    private void MarkDead(string credential, double since, double now)
    {
        AddDead(credential);
        EvidenceOf(credential).DeadFrom = since;
        DeadTrialFrom = now + BetweenDeadTrials.TotalMicroseconds;
    }

    private void AddDead(string credential)
    {
        Accepted.Remove(credential);
        Remember(Dead, credential);
        if (Doubted == credential) Doubted = "";
    }

    private CredentialEvidence EvidenceOf(string credential)
    {
        if (Known.TryGetValue(credential, out var evidence)) return evidence;
        if (Known.Count >= Remembered)
        {
            Known.Remove(Known.MinBy(one => Math.Max(one.Value.AcceptedAt, one.Value.RefusedAt)).Key);
        }
        return Known[credential] = new CredentialEvidence();
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

    /// <summary>It refuses one job after the other, and no job is known that it took before.</summary>
    Suspect,

    /// <summary>It does not take it, or takes it for no job for a while.</summary>
    Refused,
}

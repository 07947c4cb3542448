namespace Gateway.Upstream;

/// <summary>
/// Whether an account may be used, as all nodes together have seen: pauses that the upstream asked for, the circuit breaker,
/// and which credentials it takes. Times are microseconds since 1970, by one clock.
/// </summary>
internal sealed class AccountHealth
{
    public const double Second = 1e6;

    /// <summary>How long an open circuit lets nothing through, and then one call.</summary>
    public static readonly TimeSpan BreakDuration = TimeSpan.FromMilliseconds(500);

    /// <summary>The least and the most that a 429 can ask for; it is the least where it asks for nothing.</summary>
    public static readonly TimeSpan ShortestPause = TimeSpan.FromSeconds(1), LongestPause = TimeSpan.FromMinutes(5);

    /// <summary>How often a credential that the upstream does not take is tried again.</summary>
    public static readonly TimeSpan BetweenDeadTrials = TimeSpan.FromSeconds(10), BetweenSuspectTrials = TimeSpan.FromSeconds(1);

    /// <summary>So many jobs refused one after the other, and none accepted: then it may be the credential.</summary>
    public const int SuspectAfter = 5;

    private const int LeastCalls = 10, Remembered = 8;

    private const double Window = 5 * Second, TrialOfNew = Second, LongestDoubt = 2 * Second, Certainty = 10 * Second;

    /// <summary>429: nothing goes out until then.</summary>
    public double PausedUntil { get; set; }

    /// <summary>Whether the circuit is open.</summary>
    public bool IsBroken { get; set; }

    public double ProbeFrom { get; set; }

    /// <summary>Calls under way that were let through an open circuit.</summary>
    public int Probes { get; set; }

    /// <summary>Calls of this window and the one before it.</summary>
    public int Good { get; set; }

    public int Bad { get; set; }

    public int GoodBefore { get; set; }

    public int BadBefore { get; set; }

    public double WindowUntil { get; set; }

    /// <summary>One call is under way, whose end decides; until then at most.</summary>
    public double TrialUntil { get; set; }

    /// <summary>Fingerprints of credentials that the upstream took, and of those that it takes no longer.</summary>
    public List<string> Accepted { get; set; } = [];

    public List<string> Dead { get; set; } = [];

    public double DeadTrialFrom { get; set; }

    /// <summary>Jobs that were refused since one was accepted.</summary>
    public List<int> RefusedJobs { get; set; } = [];

    public double SuspectTrialFrom { get; set; }

    /// <summary>The credential that was refused and may be dead; its successor is being tried.</summary>
    public string Doubted { get; set; } = "";

    public double DoubtUntil { get; set; }

    public double CertainUntil { get; set; }

    public bool IsSuspect => RefusedJobs.Count >= SuspectAfter;

    /// <summary>Takes note of a call that is over.</summary>
    /// <param name="credentials">What the node has to call with.</param>
    public void Note(in EndedCall call, string[] credentials, double now)
    {
        if (call.IsTrial) TrialUntil = 0;
        var wasProbe = call.IsTrial && Probes > 0;
        if (wasProbe) Probes--;
        switch (call.End)
        {
            case CallEnd.Accepted:
                Count(good: 1, bad: 0, now);
                RefusedJobs.Clear();
                // Word of a call that was made before may come late.
                if (call.IsTrial) Dead.Remove(call.Credential);
                if (call.IsTrial && IsBroken) Mend();
                if (!Dead.Contains(call.Credential)) Remember(Accepted, call.Credential);
                if (call.Supersedes is { } superseded) Bury(superseded);
                break;
            case CallEnd.Failed:
                // One that has hung since before the upstream was well says nothing new.
                if (wasProbe && !IsBroken) break;
                Count(good: 0, bad: 1, now);
                if (!IsBroken && HasFailedOften) Probes = 0;
                if (IsBroken ? call.IsTrial : HasFailedOften) (IsBroken, ProbeFrom) = (true, now + BreakDuration.TotalMicroseconds);
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
                Suspect(call, now);
                (Doubted, CertainUntil) = ("", now + Certainty);
                break;
            case CallEnd.Busy:
                var asked = call.RetryAfter ?? TimeSpan.Zero;
                var pause = asked < ShortestPause ? ShortestPause : asked > LongestPause ? LongestPause : asked;
                PausedUntil = Math.Max(PausedUntil, now + pause.TotalMicroseconds);
                break;
        }
    }

    /// <summary>Whether calls wait because a credential was refused, and its successor is being tried.</summary>
    public bool IsInDoubt(string credential, double now) => Doubted == credential && now < DoubtUntil;

    /// <summary>When the next call may go out, alone, for its end decides about the others. Null: calls need not go alone.</summary>
    public double? NextTrial(string credential, bool hasOther, double now)
    {
        double? from = null;
        // Where a trial has no answer in time, the upstream is slow, and all go.
        var isOverdue = TrialUntil > 0 && now >= TrialUntil;
        if (hasOther && !Accepted.Contains(credential) && !isOverdue) from = 0;
        if (IsSuspect) from = SuspectTrialFrom;
        if (Dead.Contains(credential)) from = Math.Max(from ?? 0, DeadTrialFrom);
        if (IsBroken) from = Math.Max(from ?? 0, ProbeFrom);
        return from is null ? null : Math.Max(from.Value, TrialUntil);
    }

    /// <summary>Takes note that such a call goes out.</summary>
    public void Try(string credential, AccountLimits limits, double now)
    {
        if (IsBroken) Probes++;
        // One that hangs is not waited for, and where nothing speaks against the credential but that it is new, nobody waits for long.
        var longest = IsSuspect || Dead.Contains(credential) ? limits.CallTime.TotalMicroseconds
            : IsBroken ? BreakDuration.TotalMicroseconds : TrialOfNew;
        TrialUntil = now + longest;
    }

    /// <summary>Why calls should not even wait.</summary>
    public Closed? ClosedFor(string credential, double now)
    {
        if (PausedUntil > now) return new Closed(UpstreamFault.Paused, PausedUntil);
        if (Dead.Contains(credential)) return new Closed(UpstreamFault.CredentialDead, Math.Max(DeadTrialFrom, now + Second));
        if (IsBroken) return new Closed(UpstreamFault.CircuitOpen, Math.Max(ProbeFrom, now));
        return null;
    }

    /// <summary>What lies further ahead than it could is from another clock, or from before that was set back.</summary>
    public void Bound(AccountLimits limits, double now)
    {
        PausedUntil = Math.Min(PausedUntil, now + LongestPause.TotalMicroseconds);
        ProbeFrom = Math.Min(ProbeFrom, now + BreakDuration.TotalMicroseconds);
        TrialUntil = Math.Min(TrialUntil, now + limits.CallTime.TotalMicroseconds);
        DeadTrialFrom = Math.Min(DeadTrialFrom, now + BetweenDeadTrials.TotalMicroseconds);
        SuspectTrialFrom = Math.Min(SuspectTrialFrom, now + BetweenSuspectTrials.TotalMicroseconds);
        DoubtUntil = Math.Min(DoubtUntil, now + LongestDoubt);
        CertainUntil = Math.Min(CertainUntil, now + Certainty);
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

    // Half of all, and not by chance.
    private bool HasFailedOften
    {
        get
        {
            var bad = Bad + BadBefore;
            var all = bad + Good + GoodBefore;
            return all >= LeastCalls && bad * 2 >= all;
        }
    }

    private void Count(int good, int bad, double now)
    {
        if (now >= WindowUntil || now < WindowUntil - Window)
        {
            (GoodBefore, BadBefore) = now < WindowUntil + Window ? (Good, Bad) : (0, 0);
            (Good, Bad, WindowUntil) = (0, 0, now + Window);
        }
        (Good, Bad) = (Good + good, Bad + bad);
    }

    private void Mend()
    {
        IsBroken = false;
        (Good, Bad, GoodBefore, BadBefore) = (1, 0, 0, 0);
    }

    private void Bury(string credential)
    {
        Accepted.Remove(credential);
        Remember(Dead, credential);
        if (Doubted == credential) Doubted = "";
    }

    private void Suspect(in EndedCall call, double now)
    {
        if (!RefusedJobs.Contains(call.Job) && !IsSuspect) RefusedJobs.Add(call.Job);
        if (IsSuspect) SuspectTrialFrom = now + BetweenSuspectTrials.TotalMicroseconds;
    }

    private static void Remember(List<string> list, string credential)
    {
        if (list.Contains(credential)) return;
        list.Add(credential);
        if (list.Count > Remembered) list.RemoveAt(0);
    }
}

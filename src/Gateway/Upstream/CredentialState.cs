using System.Security.Cryptography;
using System.Text;

namespace Gateway.Upstream;

/// <summary>
/// The shared knowledge about one credential, and its standing. Times are microseconds, by the account's clock. A call
/// counts from when it was sent, because a late answer says nothing about a credential that was revoked meanwhile.
/// </summary>
internal sealed class CredentialState
{
    /// <summary>
    /// If no job is known, a credential becomes half-open after this many different jobs were refused in a row.
    /// </summary>
    public const int HalfOpenAfter = 5;

    public const double Second = 1e6;

    /// <summary>
    /// The time between trials. A refusal within this time of an accepted trial is about the job.
    /// </summary>
    public const double BetweenTrials = Second;

    private const double BetweenDeadProbes = 10 * Second, BetweenHalfOpenProbes = Second;

    private const double LongestFirstProbe = Second, LongestDoubt = 2 * Second, LongestSuspicion = 600 * Second;

    // A job that was refused while others were accepted casts no doubt for this time after an accepted call.
    private const double Certainty = 10 * Second;

    // A refused credential is reported after this time without an accepted call.
    private const double RefusedUntilReported = 10 * Second;

    // This many known jobs must be refused, the last one in a trial, before a credential is dead.
    private const int JobsThatDecide = 2;

    private const int RememberedJobs = 4, RememberedRefusals = 32;

    /// <summary>Jobs that were accepted, the last one first, of several workflows if there are any.</summary>
    public List<KnownJob> Jobs { get; set; } = [];

    /// <summary>Whether the upstream accepted it, and it is not dead.</summary>
    public bool IsAccepted { get; set; }

    /// <summary>When the latest accepted call was sent, and the latest accepted trial.</summary>
    public double AcceptedAt { get; set; }

    public double TrialAcceptedAt { get; set; }

    /// <summary>When the latest refused call that casts doubt on the credential was sent.</summary>
    public double SuspectAt { get; set; }

    /// <summary>The numbers of jobs that were refused since a job was accepted.</summary>
    public List<int> Refused { get; set; } = [];

    /// <summary>The numbers of jobs that were refused while others were accepted.</summary>
    public List<int> Excused { get; set; } = [];

    /// <summary>When the first and the last of <see cref="Refused"/> were refused.</summary>
    public double RefusedSince { get; set; }

    public double RefusedAt { get; set; }

    /// <summary>When <see cref="Refused"/> had enough jobs for half-open.</summary>
    public double HalfOpenSince { get; set; }

    /// <summary>Whether one of <see cref="Refused"/> was a 401.</summary>
    public bool IsUnauthorized { get; set; }

    /// <summary>The number of trials so far. Each one takes the next known job.</summary>
    public int Trials { get; set; }

    /// <summary>When the call was sent that showed that the credential is dead. 0: it is not dead.</summary>
    public double DeadSince { get; set; }

    /// <summary>When the next probe of a dead or half-open credential may go out.</summary>
    public double ProbeFrom { get; set; }

    /// <summary>Until when the first call with a new credential is waited for. 0: none is under way.</summary>
    public double FirstProbeUntil { get; set; }

    /// <summary>Until when calls wait while the successor is tried.</summary>
    public double DoubtUntil { get; set; }

    public bool IsDead => DeadSince > 0;

    /// <summary>Whether a refusal casts doubt on the credential, and no later call was accepted.</summary>
    public bool IsSuspect =>
        SuspectAt > AcceptedAt && (TrialAcceptedAt == 0 || SuspectAt > TrialAcceptedAt + BetweenTrials);

    /// <summary>Whether one job after the other is refused and there is no known job for a trial.</summary>
    public bool IsHalfOpen => Refused.Count >= HalfOpenAfter && NextJob() is null;

    public CredentialStanding StandingAt(double now)
    {
        if (IsDead) return CredentialStanding.Refused;
        if (Refused.Count == 0) return CredentialStanding.Fine;
        if (IsHalfOpen)
        {
            var isReported = now - HalfOpenSince >= RefusedUntilReported;
            return isReported ? CredentialStanding.Refused : CredentialStanding.Suspect;
        }
        // A 401 is probably about the credential, even if only a few jobs are requested.
        var isLong = IsUnauthorized && RefusedAt - RefusedSince >= RefusedUntilReported && NextJob() is null;
        return isLong ? CredentialStanding.Refused : CredentialStanding.Fine;
    }

    /// <summary>When the next call may go out alone. Null: calls need not go out alone.</summary>
    public double? NextProbe(bool hasOther, double now)
    {
        double? from = null;
        // If the first call has no answer in time, the upstream is slow, and all calls go out.
        var isOverdue = FirstProbeUntil > 0 && now >= FirstProbeUntil;
        if (hasOther && !IsAccepted && !isOverdue) from = FirstProbeUntil;
        if (IsHalfOpen || IsDead) from = Math.Max(from ?? 0, ProbeFrom);
        return from;
    }

    public void StartProbe(double now)
    {
        FirstProbeUntil = now + LongestFirstProbe;
        ProbeFrom = now + BetweenProbes;
    }

    public void StartTrial(double now)
    {
        Trials++;
        if (IsDead) ProbeFrom = now + BetweenDeadProbes;
    }

    /// <summary>Bounds all times, in case they were written by another clock.</summary>
    public void Bound(double now)
    {
        AcceptedAt = Math.Min(AcceptedAt, now);
        TrialAcceptedAt = Math.Min(TrialAcceptedAt, now);
        SuspectAt = Math.Min(SuspectAt, now);
        RefusedSince = Math.Min(RefusedSince, now);
        RefusedAt = Math.Min(RefusedAt, now);
        HalfOpenSince = Math.Min(HalfOpenSince, now);
        DeadSince = Math.Min(DeadSince, now);
        ProbeFrom = Math.Min(ProbeFrom, now + BetweenProbes);
        FirstProbeUntil = Math.Min(FirstProbeUntil, now + LongestFirstProbe);
        DoubtUntil = Math.Min(DoubtUntil, now + LongestDoubt);
        if (now - RefusedAt > LongestSuspicion) ForgetRefusals();
    }

    /// <summary>Records that the upstream accepted a call.</summary>
    /// <param name="job">The job, if later trials may use it.</param>
    public void Accept(in EndedCall call, string? job, double sent)
    {
        // A call that was sent before the credential died may be reported late.
        if (call.IsProbe || sent > DeadSince) DeadSince = 0;
        if (IsDead) return;
        IsAccepted = true;
        AcceptedAt = Math.Max(AcceptedAt, sent);
        if (call.IsTrial) TrialAcceptedAt = Math.Max(TrialAcceptedAt, sent);
        if (call is { IsTrial: true, Outcome: CallOutcome.Missing, Address: { } gone }) Forget(gone);
        if (job is not null)
        {
            RememberJob(job);
            Excused.Remove(NumberOf(job));
        }
        if (sent < SuspectAt) return;
        foreach (var refused in Refused) Remember(Excused, refused);
        Jobs.RemoveAll(known => known.IsRefused && known.Address != job);
        ForgetRefusals();
        IsUnauthorized = false;
    }

    /// <summary>Records that the upstream refused a job.</summary>
    /// <returns>Whether the refusal casts doubt on the credential.</returns>
    public bool Refuse(in EndedCall call, double sent, double now)
    {
        var isExcused = Excused.Contains(call.Job);
        var isAboutJob = AcceptedAt > 0 && sent <= AcceptedAt + (isExcused ? Certainty : 0);
        if (isAboutJob || (TrialAcceptedAt > 0 && sent <= TrialAcceptedAt + BetweenTrials))
        {
            Remember(Excused, call.Job);
            return false;
        }
        if (Refused.Count == 0) (RefusedSince, IsUnauthorized) = (now, false);
        (RefusedAt, SuspectAt) = (now, Math.Max(SuspectAt, sent));
        IsUnauthorized |= call.IsUnauthorized;
        MarkRefused(call.Job);
        if (Refused.Count >= HalfOpenAfter || Refused.Contains(call.Job)) return true;
        Refused.Add(call.Job);
        if (Refused.Count == HalfOpenAfter)
        {
            HalfOpenSince = now;
            ProbeFrom = Math.Max(ProbeFrom, now + BetweenHalfOpenProbes);
        }
        return true;
    }

    /// <summary>Records that the upstream refused a trial.</summary>
    /// <returns>Whether that shows that the credential is dead.</returns>
    public bool RefuseTrial(in EndedCall call, double sent)
    {
        if (sent <= AcceptedAt)
        {
            // A call that was sent later was accepted: only this job is refused.
            if (call.Address is { } job) Forget(job);
            Remember(Excused, call.Job);
            return false;
        }
        MarkRefused(call.Job);
        SuspectAt = Math.Max(SuspectAt, sent);
        return Jobs.Count(job => job.IsRefused) >= Math.Min(JobsThatDecide, Jobs.Count);
    }

    public void MarkDead(double since, double now)
    {
        (IsAccepted, DeadSince, DoubtUntil) = (false, since, 0);
        ProbeFrom = now + BetweenDeadProbes;
    }

    public void Doubt(double now) => DoubtUntil = now + LongestDoubt;

    /// <summary>The known job for the next trial. Null: there is none.</summary>
    /// <param name="isExcluded">Jobs whose answer would show nothing, by number.</param>
    public string? NextJob(Func<int, bool>? isExcluded = null) =>
        Choose(Jobs.FindAll(job => !job.IsRefused && isExcluded?.Invoke(NumberOf(job.Address)) != true));

    /// <summary>The known job for the next probe, which may have been refused. Null: there is none.</summary>
    public string? NextJobOfAll() => Choose(Jobs);

    /// <summary>Gives a credential that was configured again a new chance.</summary>
    public void Reset()
    {
        ForgetRefusals();
        (SuspectAt, DeadSince, IsUnauthorized) = (0, 0, false);
    }

    /// <summary>Adds what another copy of the account knows.</summary>
    /// <param name="by">The difference between the clocks of the two copies.</param>
    public void Merge(CredentialState other, double by)
    {
        foreach (var job in Enumerable.Reverse(other.Jobs))
        {
            if (!Jobs.Exists(known => known.Address == job.Address)) RememberJob(job.Address);
        }
        AcceptedAt = Later(AcceptedAt, other.AcceptedAt);
        TrialAcceptedAt = Later(TrialAcceptedAt, other.TrialAcceptedAt);
        DeadSince = Later(DeadSince, other.DeadSince);
        ProbeFrom = Later(ProbeFrom, other.ProbeFrom);
        IsAccepted = (IsAccepted || other.IsAccepted) && !IsDead;
        foreach (var job in other.Excused) Remember(Excused, job);

        double Later(double own, double others) => others > 0 ? Math.Max(own, others + by) : own;
    }

    /// <summary>Returns a number that identifies a job, the same on each node.</summary>
    public static int NumberOf(string address) =>
        BitConverter.ToInt32(SHA256.HashData(Encoding.ASCII.GetBytes(address)));

    /// <summary>Adds a job to a list that keeps the last ones.</summary>
    public static void Remember(List<int> jobs, int job)
    {
        if (jobs.Contains(job)) return;
        jobs.Add(job);
        if (jobs.Count > RememberedRefusals) jobs.RemoveAt(0);
    }

    private double BetweenProbes => IsDead ? BetweenDeadProbes : BetweenHalfOpenProbes;

    private string? Choose(List<KnownJob> jobs) => jobs.Count == 0 ? null : jobs[Trials % jobs.Count].Address;

    private void Forget(string job) => Jobs.RemoveAll(known => known.Address == job);

    private void MarkRefused(int job)
    {
        var index = Jobs.FindIndex(known => NumberOf(known.Address) == job);
        if (index >= 0) Jobs[index] = Jobs[index] with { IsRefused = true };
    }

    private void ForgetRefusals()
    {
        Refused.Clear();
        for (var i = 0; i < Jobs.Count; i++) Jobs[i] = Jobs[i] with { IsRefused = false };
    }

    // The account may lose access to one workflow. Jobs of other workflows are kept as long as there are any.
    private void RememberJob(string job)
    {
        var known = Jobs.Find(known => known.Address == job) ?? new KnownJob(job);
        Jobs.Remove(known);
        Jobs.Insert(0, known);
        if (Jobs.Count <= RememberedJobs) return;
        var surplus = Jobs.FindLastIndex(one => Jobs.Exists(other => other != one && other.Workflow == one.Workflow));
        Jobs.RemoveAt(surplus < 0 ? Jobs.Count - 1 : surplus);
    }

    /// <summary>A job that the upstream accepted with the credential.</summary>
    /// <param name="Address">The job as <c>workflow/job</c>.</param>
    /// <param name="IsRefused">Whether it was refused since a call was accepted.</param>
    internal sealed record KnownJob(string Address, bool IsRefused = false)
    {
        public string Workflow => Address[..Math.Max(0, Address.IndexOf('/', StringComparison.Ordinal))];
    }
}

/// <summary>How the upstream treats a credential.</summary>
internal enum CredentialStanding
{
    Fine,

    /// <summary>The upstream refuses one job after the other, and there is no known job.</summary>
    Suspect,

    /// <summary>The credential is dead, or the upstream has accepted it for no job for some time.</summary>
    Refused,
}
